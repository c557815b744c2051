#include <cstdint>

#include "gtest/gtest.h"
#include "server/base/limits.h"
#include "server/base/uuid.h"
#include "server/devices/device_rows.h"
#include "tests/fakes/engine.h"

namespace caresync::devices {
namespace {

const base::Uuid kDevice = *base::Uuid::Parse("3f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f");

class EventNumbersTest : public testing::Test {
 protected:
  void Count(uint64_t sequence, NumberedEvent event = NumberedEvent::kNew) {
    const auto committed = engine_.Run(tenant_, [sequence, event](commit::Transaction& transaction) {
      return CountEvent(transaction, kDevice, sequence, event);
    });
    ASSERT_TRUE(committed.ok());
  }
  uint64_t Missing() const {
    const auto rows = ReadDeviceRows(*engine_.Snapshot(), tenant_, kDevice);
    return rows->events.has_value() ? rows->events->missing() : 0;
  }

  fakes::Engine engine_;
  const base::TenantId tenant_ = fakes::Tenant("acme");
};

TEST_F(EventNumbersTest, NumbersInARowLeaveNothingMissing) {
  for (uint64_t sequence = 1; sequence <= 5; ++sequence) Count(sequence);
  EXPECT_EQ(Missing(), 0u);
}

TEST_F(EventNumbersTest, AJumpCountsWhatLiesBetweenAndALateOneFillsIt) {
  Count(1);
  Count(4);
  EXPECT_EQ(Missing(), 2u);
  Count(3);
  EXPECT_EQ(Missing(), 1u);
}

// Such an event comes again and again, from an app that sends it so.
TEST_F(EventNumbersTest, AnIdThatIsUsedAgainFillsNoGap) {
  Count(1);
  Count(4);
  Count(1, NumberedEvent::kIdReused);
  Count(3, NumberedEvent::kIdReused);
  EXPECT_EQ(Missing(), 2u);
  Count(6, NumberedEvent::kIdReused);
  EXPECT_EQ(Missing(), 3u);
  Count(6, NumberedEvent::kIdReused);
  EXPECT_EQ(Missing(), 3u);
}

TEST_F(EventNumbersTest, NumbersThatCannotBeTrueSayNothing) {
  Count(1);
  Count(0);
  Count(base::limits::kEventNumberJump + 2);
  Count(UINT64_MAX);
  EXPECT_EQ(Missing(), 0u);
  Count(2);
  EXPECT_EQ(Missing(), 0u);
}

}  // namespace
}  // namespace caresync::devices
