#include "tests/simulation/seed_place.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>

namespace caresync::simulation {
namespace {

constexpr uint64_t kSeeds = 300;

absl::TimeZone ZoneOf(const std::string& name) {
  absl::TimeZone zone;
  EXPECT_TRUE(absl::LoadTimeZone(name, &zone)) << name;
  return zone;
}

TEST(PlaceOf, TwoSeedsInFiveBeginSomeHoursBeforeTheirTenantsClocksChange) {
  // By zone and direction.
  std::map<std::pair<std::string, bool>, int> changes;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const SeedPlace place = PlaceOf(seed);
    if (!place.change.has_value()) continue;
    const absl::TimeZone zone = ZoneOf(place.zones[0]);
    const int before = zone.At(place.change->time - absl::Seconds(1)).offset;
    const int after = zone.At(place.change->time).offset;
    EXPECT_EQ(after > before, place.change->forwards) << seed;
    EXPECT_NE(after, before) << seed;
    EXPECT_GE(place.change->time - place.begins, absl::Hours(1)) << seed;
    EXPECT_LE(place.change->time - place.begins, absl::Hours(8)) << seed;
    ++changes[{place.zones[0], place.change->forwards}];
  }
  ASSERT_EQ(changes.size(), 6u);
  for (const auto& [of, count] : changes) EXPECT_EQ(count, 20) << of.first << (of.second ? ", forwards" : ", back");
}

TEST(PlaceOf, TheOtherTenantHasAnotherZone) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const SeedPlace place = PlaceOf(seed);
    EXPECT_NE(place.zones[0], place.zones[1]) << seed;
    if (!place.change.has_value()) continue;
    const absl::TimeZone other = ZoneOf(place.zones[1]);
    EXPECT_EQ(other.At(place.change->time - absl::Hours(1)).offset, other.At(place.change->time).offset) << seed;
  }
}

}  // namespace
}  // namespace caresync::simulation
