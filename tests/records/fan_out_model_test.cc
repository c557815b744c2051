// Fan-outs against a model that works out from all records what each carer may see: random visits, groups, access, care
// events and care plans, in commits that have room for next to nothing, so that nearly all becomes tasks, which run in
// any order between further changes. A carer whom no unfinished task concerns sees exactly what it may.

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "server/base/keys.h"
#include "server/base/status_macros.h"
#include "server/feed/feed_entry.h"
#include "server/records/fan_out.h"
#include "storage/memory_store.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/feeds.h"
#include "tests/records/fan_out_bench.h"
#include "tests/records/sample_records.h"

namespace caresync::records {
namespace {

constexpr int kCarers = 4;
constexpr int kGroups = 2;
constexpr int kServiceUsers = 3;
constexpr int kVisits = 3;
constexpr int kPlans = 5;
constexpr int kSteps = 250;

struct ModelVisit {
  int service_user = 0;
  std::set<int> carers;
  bool gives = false;
};

struct ModelPlan {
  int service_user = 0;
  bool deleted = false;
};

// All records, as plainly as can be.
struct Model {
  std::map<RecordName, std::string> payloads;
  std::map<int, ModelVisit> visits;
  std::map<int, std::set<int>> groups;
  // By service user: groups, and carers.
  std::map<int, std::set<int>> group_access;
  std::map<int, std::set<int>> carer_access;
  std::map<RecordName, RecordName> events;
  std::map<int, ModelPlan> plans;

  bool SeesServiceUser(int carer, int number) const {
    const auto single = carer_access.find(number);
    if (single != carer_access.end() && single->second.contains(carer)) return true;
    const auto given = group_access.find(number);
    if (given != group_access.end()) {
      for (int group : given->second) {
        const auto members = groups.find(group);
        if (members != groups.end() && members->second.contains(carer)) return true;
      }
    }
    for (const auto& [visit, of] : visits) {
      if (of.gives && of.carers.contains(carer) && of.service_user == number) return true;
    }
    return false;
  }

  bool SeesCarer(int carer, int other) const {
    if (carer == other) return true;
    for (const auto& [visit, of] : visits) {
      if (of.gives && of.carers.contains(carer) && of.carers.contains(other)) return true;
    }
    return false;
  }

  bool SeesRoot(int carer, const RecordName& name) const {
    for (int number = 0; number < kServiceUsers; ++number) {
      if (name == ServiceUserName(number)) return SeesServiceUser(carer, number);
    }
    for (int number = 0; number < kCarers; ++number) {
      if (name == CarerName(number)) return SeesCarer(carer, number);
    }
    for (const auto& [number, of] : visits) {
      if (name == VisitName(number)) return of.gives && of.carers.contains(carer);
    }
    return false;
  }

  bool Sees(int carer, const RecordName& name) const {
    if (const auto event = events.find(name); event != events.end()) return SeesRoot(carer, event->second);
    for (const auto& [number, plan] : plans) {
      if (name == PlanName(number)) return !plan.deleted && SeesServiceUser(carer, plan.service_user);
    }
    return SeesRoot(carer, name);
  }

  std::map<RecordName, uint64_t> SeenBy(int carer) const {
    std::map<RecordName, uint64_t> seen;
    for (const auto& [name, payload] : payloads) {
      if (Sees(carer, name)) seen[name] = feed::Fingerprint(name.kind, name.id.ToString(), payload);
    }
    return seen;
  }
};

class World {
 public:
  explicit World(uint64_t seed)
      : random_(seed),
        share_of_changes_(std::vector<int>{15, 25, 50, 70}[Below(4)]),
        bench_(store_, {.moved = std::vector<size_t>{1, 2, 4, 9}[Below(4)],
                        .looked = std::vector<size_t>{2, 4, 8, 20}[Below(4)],
                        .rows = 20'000}) {
    bench_.Change([this](RecordStore& records) -> absl::Status {
      for (int carer = 0; carer < kCarers; ++carer) RETURN_IF_ERROR(Put(records, CarerRecord(carer)));
      for (int user = 0; user < kServiceUsers; ++user) RETURN_IF_ERROR(Put(records, ServiceUserRecord(user)));
      return absl::OkStatus();
    });
  }

  void Step() {
    const std::vector<std::string> fan_outs = bench_.FanOuts();
    if (fan_outs.empty() || Below(100) < static_cast<size_t>(share_of_changes_)) {
      const size_t changes = 1 + Below(3);
      bench_.Change([&](RecordStore& records) -> absl::Status {
        for (size_t i = 0; i < changes; ++i) RETURN_IF_ERROR(ChangeOnce(records));
        return absl::OkStatus();
      });
    } else {
      bench_.RunStep(fan_outs[Below(fan_outs.size())]);
    }
    Compare();
  }

  void RunOutAndCompare() {
    bench_.RunAll();
    const std::unique_ptr<storage::Snapshot> snapshot = bench_.Snapshot();
    EXPECT_EQ(*HasScopes(*snapshot, bench_.tenant()), false);
    for (int carer = 0; carer < kCarers; ++carer) EXPECT_FALSE(bench_.MustWait(carer));
    Compare();
    ExpectNothingIsLeaving(*snapshot);
  }

  size_t reads() const { return reads_; }
  size_t waits() const { return waits_; }
  size_t steps() const { return bench_.steps(); }

 private:
  size_t Below(size_t bound) { return std::uniform_int_distribution<size_t>(0, bound - 1)(random_); }
  int Number(int bound) { return static_cast<int>(Below(static_cast<size_t>(bound))); }
  std::string Text() { return "text " + std::to_string(++last_text_); }
  std::set<int> SomeOf(int bound) {
    std::set<int> some;
    for (int i = 0; i < bound; ++i) {
      if (Below(2) == 0) some.insert(i);
    }
    return some;
  }

  // Now and then what was done is taken back, as a rejected change of a message is.
  absl::Status ChangeOnce(RecordStore& records) {
    const RecordStore::Mark mark = records.SetMark();
    const Model model = model_;
    RETURN_IF_ERROR(ChangeSomething(records));
    if (Below(8) != 0) return absl::OkStatus();
    records.RollBackTo(mark);
    model_ = model;
    return absl::OkStatus();
  }

  absl::Status ChangeSomething(RecordStore& records) {
    switch (Below(10)) {
      case 0:
        return Put(records, CarerRecord(Number(kCarers), Text()));
      case 1:
        return Put(records, ServiceUserRecord(Number(kServiceUsers), Text()));
      case 2:
        return PutEvent(records);
      case 3:
      case 4:
        return PutPlan(records);
      case 5:
      case 6:
        return PutGroup(records);
      case 7:
        return SetAccess(records);
      default:
        return PutVisit(records);
    }
  }

  absl::Status Put(RecordStore& records, const store::Record& record) {
    model_.payloads[{record.kind(), *base::Uuid::Parse(record.record_id())}] = record.payload();
    return records.Put(record).status();
  }

  absl::Status PutGroup(RecordStore& records) {
    const int number = Number(kGroups);
    std::set<int> members = model_.groups[number];
    if (Below(3) == 0) {
      members = SomeOf(kCarers);
    } else if (const int carer = Number(kCarers); !members.erase(carer)) {
      members.insert(carer);
    }
    const bool dissolved = Below(8) == 0;
    model_.groups[number] = dissolved ? std::set<int>() : members;
    return records.Put(GroupRecord(number, {members.begin(), members.end()}, dissolved)).status();
  }

  absl::Status SetAccess(RecordStore& records) {
    const int user = Number(kServiceUsers);
    model_.group_access[user] = SomeOf(kGroups);
    model_.carer_access[user] = Below(2) == 0 ? SomeOf(kCarers) : std::set<int>();
    std::set<base::ReceiverId> holders;
    for (int group : model_.group_access[user]) holders.insert(GroupHolderOf(group));
    for (int carer : model_.carer_access[user]) holders.insert(CarerFeed(carer));
    return records.SetAccess(KeyOf(ServiceUserName(user)), holders).status();
  }

  absl::Status PutVisit(RecordStore& records) {
    const int number = Number(kVisits);
    ModelVisit visit{Number(kServiceUsers), {Number(kCarers), Number(kCarers)}, true};
    store::Record record = VisitRecord(number, visit.service_user, {visit.carers.begin(), visit.carers.end()}, Text());
    record.set_published(Below(5) != 0);
    record.set_cancelled(Below(5) == 0);
    visit.gives = record.published() && !record.cancelled();
    model_.visits[number] = visit;
    return Put(records, record);
  }

  absl::Status PutEvent(RecordStore& records) {
    const RecordName parent = Below(3) == 0 ? VisitName(Number(kVisits)) : ServiceUserName(Number(kServiceUsers));
    ASSIGN_OR_RETURN(const std::optional<store::Record> stored,
                     GetRecord(records.transaction(), bench_.tenant(), KeyOf(parent)));
    if (!stored.has_value()) return absl::OkStatus();
    const int number = ++last_event_;
    const store::Record event = EventRecord(number, NoteEvent(Number(kCarers), parent, Text()));
    model_.payloads[EventName(number)] = event.payload();
    model_.events[EventName(number)] = parent;
    return records.PutCareEvent(event, *stored);
  }

  absl::Status PutPlan(RecordStore& records) {
    const int number = Number(kPlans);
    const bool is_new = !model_.plans.contains(number);
    ModelPlan& plan = model_.plans[number];
    if (is_new) plan.service_user = Number(kServiceUsers);
    plan.deleted = !is_new && Below(2) == 0;
    store::Record record = PlanRecord(number, plan.service_user, Text());
    if (plan.deleted) record.set_payload(model_.payloads.at(PlanName(number)));
    record.set_deleted(plan.deleted);
    // Lets go of deleted ones where it may.
    if (Below(3) == 0) RETURN_IF_ERROR(records.CountCarePlans(KeyOf(ServiceUserName(plan.service_user))).status());
    model_.payloads[PlanName(number)] = record.payload();
    return records.PutCarePlan(record).status();
  }

  void Compare() {
    const std::unique_ptr<storage::Snapshot> snapshot = bench_.Snapshot();
    for (int carer = 0; carer < kCarers; ++carer) {
      if (bench_.MustWait(carer)) {
        ++waits_;
        continue;
      }
      ++reads_;
      std::map<RecordName, uint64_t> held;
      for (const auto& [name, record] : fakes::HeldBy(*snapshot, bench_.tenant(), CarerFeed(carer))) {
        held[name] = record.fingerprint;
      }
      EXPECT_EQ(held, model_.SeenBy(carer)) << "carer " << carer << " at revision " << bench_.head();
    }
  }

  void ExpectNothingIsLeaving(const storage::Reader& reader) const {
    for (int carer = 0; carer < kCarers; ++carer) {
      const storage::KeyRange groups = base::keys::GroupsOf(bench_.tenant(), KeyOf(CarerName(carer)));
      for (const auto& [key, value] : fakes::RowsOf(reader, storage::Space::kRecords, groups)) EXPECT_EQ(value, "");
    }
    for (int group = 0; group < kGroups; ++group) {
      const base::RecordKey key = KeyOf(GroupName(group));
      for (const storage::KeyRange& range :
           {base::keys::Members(bench_.tenant(), key, {}), base::keys::GroupRecords(bench_.tenant(), key, {})}) {
        for (const auto& [row, value] : fakes::RowsOf(reader, storage::Space::kRecords, range)) EXPECT_EQ(value, "");
      }
    }
  }

  std::mt19937_64 random_;
  const int share_of_changes_;
  storage::MemoryStore store_;
  FanOutBench bench_;
  Model model_;
  int last_event_ = 0;
  int last_text_ = 0;
  size_t reads_ = 0;
  size_t waits_ = 0;
};

class FanOutModelTest : public testing::TestWithParam<int> {};

// Requirement: S12
// Requirement: A2
TEST_P(FanOutModelTest, WhoeverNeedNotWaitSeesExactlyWhatItMay) {
  size_t reads = 0;
  size_t waits = 0;
  size_t steps = 0;
  for (int i = 0; i < 10 && !HasFailure(); ++i) {
    const uint64_t seed = static_cast<uint64_t>(GetParam()) * 100 + static_cast<uint64_t>(i);
    World world(seed);
    for (int step = 0; step < kSteps && !HasFailure(); ++step) {
      SCOPED_TRACE(testing::Message() << "seed " << seed << ", step " << step);
      world.Step();
    }
    if (!HasFailure()) world.RunOutAndCompare();
    reads += world.reads();
    waits += world.waits();
    steps += world.steps();
  }
  // The test is of something: tasks ran, some waited for them, and most were compared.
  EXPECT_GT(steps, 100u);
  EXPECT_GT(waits, 100u);
  EXPECT_GT(reads, 100u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, FanOutModelTest, testing::Range(1, 13));

}  // namespace
}  // namespace caresync::records
