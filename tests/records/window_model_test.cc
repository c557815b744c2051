// Random lengths, visits and times, against what is to be seen by plain arithmetic.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "server/base/keys.h"
#include "server/base/proto_time.h"
#include "server/records/window.h"
#include "tests/fakes/feeds.h"
#include "tests/records/sample_records.h"

namespace caresync::records {
namespace {

constexpr int kVisits = 12;
constexpr int kSteps = 120;
constexpr uint64_t kSeeds = 60;

struct Times {
  absl::Time start;
  absl::Time end;
};

class World {
 public:
  explicit World(uint64_t seed) : random_(seed) { PutAll(engine_, tenant_, {CarerRecord(1), ServiceUserRecord(1)}); }

  void Step() {
    switch (Below(6)) {
      case 0:
      case 1:
        return PutVisit();
      case 2:
        return SetLengths();
      default:
        // Never so long that the closing edge is held back.
        engine_.Advance(absl::Minutes(static_cast<int>(Below(12 * 60))));
    }
  }

  // Empty: as it should be.
  std::string Fault() {
    const absl::Time now = engine_.clock().Now();
    std::set<RecordName> expected = {CarerName(1)};
    for (const auto& [number, times] : visits_) {
      const bool open = window_ == absl::ZeroDuration() || times.start <= now + window_;
      const bool kept = retention_ == absl::ZeroDuration() || times.end >= now - retention_;
      if (!open || !kept) continue;
      expected.insert(VisitName(number));
      expected.insert(ServiceUserName(1));
    }
    const auto snapshot = engine_.Snapshot();
    if (fakes::SeenBy(*snapshot, tenant_, CarerReceiver(CarerName(1).id)) != expected) return "others are seen";
    if (*WindowLags(*snapshot, tenant_, now)) return "the edges lag";
    size_t tasks = 0;
    const auto scanned = snapshot->Scan(storage::Space::kRecords, base::keys::AllTasks(tenant_), 10,
                                        [&tasks](std::string_view, std::string_view) { return ++tasks; });
    const bool bounded = window_ != absl::ZeroDuration() || retention_ != absl::ZeroDuration();
    return scanned.ok() && tasks == (bounded ? 1 : 0) ? "" : "there is not one task";
  }

 private:
  size_t Below(size_t bound) { return random_() % bound; }

  void PutVisit() {
    const int number = 1 + static_cast<int>(Below(kVisits));
    Times times;
    times.start = engine_.clock().Now() + absl::Minutes(static_cast<int>(Below(240 * 60)) - 120 * 60);
    times.end = times.start + absl::Minutes(static_cast<int>(10 + Below(600)));
    store::Record record = VisitRecord(number, 1, {1});
    v1::Visit visit;
    visit.ParseFromString(record.payload());
    *visit.mutable_assignments(0)->mutable_start_time() = base::ToTimestamp(times.start);
    *visit.mutable_assignments(0)->mutable_end_time() = base::ToTimestamp(times.end);
    record.set_payload(visit.SerializeAsString());
    PutAll(engine_, tenant_, {record});
    visits_[number] = times;
  }

  void SetLengths() {
    static constexpr int kWindows[] = {0, 1, 6, 24, 72, 200};
    static constexpr int kRetentions[] = {0, 24, 36, 72, 200};
    window_ = absl::Hours(kWindows[Below(std::size(kWindows))]);
    retention_ = absl::Hours(kRetentions[Below(std::size(kRetentions))]);
    RunRecords(engine_, tenant_, [this](RecordStore& records) {
      return SetWindow(records.transaction(), {window_, retention_});
    });
  }

  std::mt19937_64 random_;
  fakes::Engine engine_;
  const base::TenantId tenant_ = fakes::Tenant("acme");
  std::map<int, Times> visits_;
  absl::Duration window_;
  absl::Duration retention_;
};

TEST(WindowModel, WhatIsSeenIsWhatTheLengthsSay) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    World world(seed);
    for (int step = 1; step <= kSteps; ++step) {
      world.Step();
      ASSERT_EQ(world.Fault(), "") << "seed " << seed << ", step " << step;
    }
  }
}

}  // namespace
}  // namespace caresync::records
