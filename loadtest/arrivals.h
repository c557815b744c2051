// What of the changes of visits came to the devices that follow.
//
// Pure functions; safe from any thread.
#ifndef CARESYNC_LOADTEST_ARRIVALS_H_
#define CARESYNC_LOADTEST_ARRIVALS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "loadtest/stopwatch.h"

namespace caresync::loadtest {

// A device has applied a version of a visit.
struct Arrival {
  // Its place in the fleet.
  size_t device = 0;
  std::string visit_id;
  uint64_t revision = 0;
  Instant came;
};

struct SentChange {
  std::string visit_id;
  // How many devices it comes to.
  size_t devices = 0;
  // When it was to be sent. It is sent later where the answer to the one before is late, and that delay is a server's.
  Instant due;
  Instant answered;
};

// By revision.
using SentChanges = std::map<uint64_t, SentChange>;

// How many times a device still lacks what a visit came to. A version that was changed again before it was read comes
// to nobody, and is not lacking.
size_t LackingOf(const SentChanges& changes, const std::vector<Arrival>& arrivals);

// Versions that no change made, and such as came to a device twice or behind a later one. `arrivals` are in the order
// in which each device applied them.
std::vector<std::string> FaultsOfArrivals(const SentChanges& changes, const std::vector<Arrival>& arrivals);

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_ARRIVALS_H_
