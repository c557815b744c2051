// RecordStore against a model that works out from all records what each receiver may see.

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "server/base/status_macros.h"
#include "server/feed/feed_entry.h"
#include "server/records/record_store.h"
#include "tests/fakes/feeds.h"
#include "tests/records/sample_records.h"

namespace caresync::records {
namespace {

constexpr int kCarers = 4;
constexpr int kServiceUsers = 3;
constexpr int kVisits = 5;
constexpr int kSteps = 120;

struct ModelVisit {
  int service_user = 0;
  std::vector<int> carers;
  bool published = false;
  bool cancelled = false;
  std::string source;
};

struct ModelEvent {
  RecordName parent;
  std::string source;
};

// All records, as plainly as can be.
struct Model {
  std::map<RecordName, std::string> payloads;
  std::map<int, ModelVisit> visits;
  std::map<RecordName, ModelEvent> events;

  bool Sees(int carer, const RecordName& name) const {
    if (name == CarerName(carer)) return true;
    if (const auto event = events.find(name); event != events.end()) return Sees(carer, event->second.parent);
    for (const auto& [number, visit] : visits) {
      if (!visit.published || visit.cancelled) continue;
      const std::set<int> carers(visit.carers.begin(), visit.carers.end());
      if (!carers.contains(carer)) continue;
      if (name == VisitName(number) || name == ServiceUserName(visit.service_user)) return true;
      for (int colleague : carers) {
        if (name == CarerName(colleague)) return true;
      }
    }
    return false;
  }

  std::map<RecordName, uint64_t> SeenByCarer(int carer) const {
    std::map<RecordName, uint64_t> seen;
    for (const auto& [name, payload] : payloads) {
      if (Sees(carer, name)) seen[name] = feed::Fingerprint(name.kind, name.id.ToString(), payload);
    }
    return seen;
  }

  std::map<RecordName, uint64_t> SeenBySource(const std::string& source) const {
    std::map<RecordName, uint64_t> seen;
    for (const auto& [name, event] : events) {
      if (event.source == source) seen[name] = feed::Fingerprint(name.kind, name.id.ToString(), payloads.at(name));
    }
    return seen;
  }
};

class World {
 public:
  explicit World(uint64_t seed) : random_(seed), engine_(seed) {}

  void Step() {
    const int changes = Below(3) == 0 ? 3 : 1;
    const std::map<base::ReceiverId, Held> before = AllHeld();
    RunRecords(engine_, tenant_, [&](RecordStore& records) -> absl::Status {
      for (int i = 0; i < changes; ++i) {
        const RecordStore::Mark mark = records.SetMark();
        const Model model = model_;
        RETURN_IF_ERROR(Change(records));
        if (Below(6) != 0) continue;
        records.RollBackTo(mark);
        model_ = model;
      }
      return absl::OkStatus();
    });
    Compare();
    if (changes == 1) ExpectOnlyChangesMoved(before);
  }

 private:
  using Held = std::map<RecordName, fakes::HeldRecord>;

  int Below(int bound) { return std::uniform_int_distribution<int>(0, bound - 1)(random_); }
  std::string Text() { return "text " + std::to_string(Below(4)); }

  absl::Status Change(RecordStore& records) {
    switch (Below(8)) {
      case 0:
        return Put(records, CarerRecord(Below(kCarers), Text()));
      case 1:
        return Put(records, ServiceUserRecord(Below(kServiceUsers), Text()));
      case 2:
      case 3:
        return PutEvent(records);
      default:
        return PutVisit(records);
    }
  }

  absl::Status Put(RecordStore& records, const store::Record& record) {
    const RecordName name{record.kind(), *base::Uuid::Parse(record.record_id())};
    model_.payloads[name] = record.payload();
    return records.Put(record).status();
  }

  absl::Status PutVisit(RecordStore& records) {
    const int number = Below(kVisits);
    ModelVisit& visit = model_.visits[number];
    const bool is_new = visit.carers.empty();
    if (is_new) visit.source = std::vector<std::string>{"", "planner", "other"}[static_cast<size_t>(Below(3))];
    if (is_new || Below(2) == 0) {
      visit.service_user = Below(kServiceUsers);
      visit.carers = {Below(kCarers), Below(kCarers)};
    }
    visit.published = Below(5) != 0;
    visit.cancelled = Below(5) == 0;
    store::Record record = VisitRecord(number, visit.service_user, visit.carers, Text());
    record.set_published(visit.published);
    record.set_cancelled(visit.cancelled);
    record.mutable_origin()->set_source(visit.source);
    return Put(records, record);
  }

  absl::Status PutEvent(RecordStore& records) {
    const bool of_visit = Below(3) != 0;
    const RecordName parent = of_visit ? VisitName(Below(kVisits)) : ServiceUserName(Below(kServiceUsers));
    ASSIGN_OR_RETURN(const std::optional<store::Record> stored,
                     GetRecord(records.transaction(), tenant_, KeyOf(parent)));
    if (!stored.has_value()) return absl::OkStatus();
    const int number = ++last_event_;
    const store::Record event = EventRecord(number, NoteEvent(Below(kCarers), parent, Text()));
    model_.payloads[EventName(number)] = event.payload();
    model_.events[EventName(number)] = {parent, stored->origin().source()};
    return records.PutCareEvent(event, *stored);
  }

  std::map<base::ReceiverId, Held> AllHeld() const {
    std::map<base::ReceiverId, Held> held;
    const std::unique_ptr<storage::Snapshot> snapshot = engine_.Snapshot();
    for (int carer = 0; carer < kCarers; ++carer) {
      const base::ReceiverId receiver = CarerReceiver(CarerName(carer).id);
      held[receiver] = fakes::HeldBy(*snapshot, tenant_, receiver);
    }
    return held;
  }

  static std::map<RecordName, uint64_t> Fingerprints(const Held& held) {
    std::map<RecordName, uint64_t> fingerprints;
    for (const auto& [name, record] : held) fingerprints[name] = record.fingerprint;
    return fingerprints;
  }

  void Compare() const {
    const std::map<base::ReceiverId, Held> held = AllHeld();
    for (int carer = 0; carer < kCarers; ++carer) {
      EXPECT_EQ(Fingerprints(held.at(CarerReceiver(CarerName(carer).id))), model_.SeenByCarer(carer))
          << "carer " << carer;
    }
    for (const std::string source : {"planner", "other"}) {
      EXPECT_EQ(Fingerprints(fakes::HeldBy(*engine_.Snapshot(), tenant_, SourceReceiver(source))),
                model_.SeenBySource(source));
    }
    EXPECT_TRUE(fakes::HeldBy(*engine_.Snapshot(), tenant_, SourceReceiver("")).empty());
  }

  // An entry that was right already stays where it is.
  void ExpectOnlyChangesMoved(const std::map<base::ReceiverId, Held>& before) const {
    for (const auto& [receiver, held] : AllHeld()) {
      for (const auto& [name, record] : held) {
        const auto was = before.at(receiver).find(name);
        if (was == before.at(receiver).end() || was->second.fingerprint != record.fingerprint) continue;
        EXPECT_EQ(was->second.revision, record.revision);
      }
    }
  }

  std::mt19937_64 random_;
  fakes::Engine engine_;
  const base::TenantId tenant_ = fakes::Tenant("acme");
  Model model_;
  int last_event_ = 0;
};

class RecordModelTest : public testing::TestWithParam<int> {};

TEST_P(RecordModelTest, FeedsAlwaysHoldWhatTheRecordsSay) {
  World world(static_cast<uint64_t>(GetParam()));
  for (int step = 0; step < kSteps && !HasFailure(); ++step) {
    SCOPED_TRACE(testing::Message() << "step " << step);
    world.Step();
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RecordModelTest, testing::Range(1, 25));

}  // namespace
}  // namespace caresync::records
