#include "tests/simulation/seed_place.h"

#include <algorithm>
#include <cstddef>

#include "absl/base/internal/raw_logging.h"

namespace caresync::simulation {
namespace {

// The last one changes by half an hour, and where the others have winter.
constexpr std::array<const char*, 3> kZones = {"Europe/London", "America/New_York", "Australia/Lord_Howe"};
// So many hours at most lie between a seed's beginning and the change: fewer than pass in a seed.
constexpr uint64_t kHoursMost = 8;

absl::Time BeginsByDefault() { return absl::FromCivil(absl::CivilHour(2026, 3, 2, 6), absl::UTCTimeZone()); }

ClockChange NextChange(const char* name, bool forwards) {
  absl::TimeZone zone;
  ABSL_RAW_CHECK(absl::LoadTimeZone(name, &zone), "a time zone is not known here");
  ClockChange change{BeginsByDefault(), !forwards};
  while (change.forwards != forwards) {
    absl::TimeZone::CivilTransition transition;
    ABSL_RAW_CHECK(zone.NextTransition(change.time, &transition), "a zone's clocks are never changed");
    // Of the two civil times one was left out, or came twice: that one knows when.
    change.time = std::min(zone.At(transition.from).trans, zone.At(transition.to).trans);
    change.forwards = transition.to > transition.from;
  }
  return change;
}

}  // namespace

SeedPlace PlaceOf(uint64_t seed) {
  const size_t zone = seed / 5 % kZones.size();
  SeedPlace place{{kZones[zone], kZones[(zone + 1) % kZones.size()]}, BeginsByDefault(), std::nullopt};
  const bool is_near = seed % 5 == 1 || seed % 5 == 2;
  if (!is_near) return place;
  place.change = NextChange(kZones[zone], seed / 15 % 2 == 0);
  place.begins = place.change->time - absl::Hours(static_cast<int64_t>(1 + seed / 30 % kHoursMost));
  return place;
}

}  // namespace caresync::simulation
