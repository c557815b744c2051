// Where and when a seed takes place: by which clocks its tenants live, and whether these are about to be changed.
//
// Mismatches know no time zone: what is due so many minutes after a change, or before a visit, is due then, though the
// clocks on the wall say another time between. So the model has none for them either (naive_mismatches.h), and seeds
// take place around both changes, in zones that change at different times and by different spans. The zone shows in
// what devices are told, and in the times that the report puts into words.
#ifndef CARESYNC_TESTS_SIMULATION_SEED_PLACE_H_
#define CARESYNC_TESTS_SIMULATION_SEED_PLACE_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"

namespace caresync::simulation {

// To daylight-saving time, or from it.
struct ClockChange {
  absl::Time time;
  bool forwards = false;
};

struct SeedPlace {
  // IANA names, of the two tenants; always two others.
  std::array<std::string, 2> zones;
  absl::Time begins;
  // Where the first tenant is, some hours after the beginning; nullopt: none is near.
  std::optional<ClockChange> change;
};

// Two seeds in five begin before a change of the clocks. Nothing of it is drawn: the schedule of a seed is the same
// wherever it takes place.
SeedPlace PlaceOf(uint64_t seed);

}  // namespace caresync::simulation

#endif  // CARESYNC_TESTS_SIMULATION_SEED_PLACE_H_
