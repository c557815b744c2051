#include "server/commit/store_identity.h"

#include <cstdint>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "storage/memory_store.h"
#include "storage/rocks_store.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/seeded_random.h"
#include "tests/fakes/temporary_directory.h"

namespace caresync::commit {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(StoreIdentity, IsMadeOnceAndKnownFromThenOn) {
  storage::MemoryStore store;
  fakes::SeededRandom random(1);
  const fakes::ManualClock clock;
  const auto before = HasIdentity(store);
  ASSERT_TRUE(before.ok()) << before.status();
  EXPECT_FALSE(*before);
  const auto made = LoadOrCreateIdentity(store, random, clock);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_TRUE(*HasIdentity(store));
  EXPECT_EQ(LoadOrCreateIdentity(store, random, clock)->token_key(), made->token_key());
}

TEST(StoreIdentity, WithoutRoomForItItSaysWhereAndHowMuchIsNeeded) {
  const fakes::TemporaryDirectory parent;
  constexpr uint64_t kMoreThanThereIs = uint64_t{1} << 60;
  const auto store = storage::RocksStore::Open(parent / "store", {.reserved_bytes = kMoreThanThereIs});
  ASSERT_TRUE(store.ok()) << store.status();
  fakes::SeededRandom random(1);
  const fakes::ManualClock clock;
  const absl::Status made = LoadOrCreateIdentity(**store, random, clock).status();
  EXPECT_EQ(base::Reason(made), "NO_ROOM_TO_START");
  EXPECT_THAT(std::string(made.message()),
              AllOf(HasSubstr(parent / "store"), HasSubstr(" bytes are free"),
                    HasSubstr(std::to_string(kMoreThanThereIs) + " are kept"), HasSubstr("make room")));
}

}  // namespace
}  // namespace caresync::commit
