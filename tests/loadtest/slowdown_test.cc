#include "loadtest/slowdown.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace caresync::loadtest {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

void AddSync(Phase& phase, absl::Duration latency, v1::SyncType type = v1::SYNC_TYPE_AUTO) {
  SyncEnd end;
  end.type = type;
  end.recorded = true;
  end.latency = latency;
  phase.syncs.Add(end);
}

class SlowdownTest : public testing::Test {
 protected:
  SlowdownTest() {
    quiet_.name = "quiet";
    phase_.name = "group set up";
    AddSync(quiet_, absl::Microseconds(50));
  }

  std::vector<std::string> FaultsPast(double most) const {
    Faults faults;
    CheckSlowdown(quiet_, phase_, most, faults);
    return faults.told();
  }

  Phase quiet_;
  Phase phase_;
};

TEST_F(SlowdownTest, UpToTheBoundIsNoFault) {
  AddSync(phase_, absl::Microseconds(100));
  EXPECT_THAT(FaultsPast(2), IsEmpty());
}

TEST_F(SlowdownTest, PastTheBoundIsOne) {
  AddSync(phase_, absl::Microseconds(101));
  EXPECT_THAT(FaultsPast(2),
              ElementsAre(HasSubstr("group set up: the median sync took 0.1 ms, 2.02 times as long as")));
}

TEST_F(SlowdownTest, TheMedianCountsAndNotTheSlowest) {
  AddSync(phase_, absl::Microseconds(100));
  AddSync(phase_, absl::Microseconds(100));
  AddSync(phase_, absl::Seconds(1));
  EXPECT_THAT(FaultsPast(2), IsEmpty());
}

TEST_F(SlowdownTest, OnlyAutoSyncsAreCompared) {
  AddSync(phase_, absl::Microseconds(50));
  AddSync(phase_, absl::Seconds(1), v1::SYNC_TYPE_CLEAN);
  AddSync(phase_, absl::Seconds(1), v1::SYNC_TYPE_CLEAN);
  EXPECT_THAT(FaultsPast(2), IsEmpty());
}

TEST_F(SlowdownTest, APhaseWithoutSyncsIsNotTakenForAFastOne) {
  EXPECT_THAT(FaultsPast(2), ElementsAre(HasSubstr("cannot be compared")));
}

}  // namespace
}  // namespace caresync::loadtest
