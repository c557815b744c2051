// What must be left of a server's goodput when more is asked of it than it can do.
//
// Pure functions; safe from any thread.
#ifndef CARESYNC_LOADTEST_GOODPUT_H_
#define CARESYNC_LOADTEST_GOODPUT_H_

#include <cstdint>
#include <string>

#include "loadtest/faults.h"

namespace caresync::loadtest {

// Adds a fault where the goodput at `level` is less than `least` of the best.
void CheckGoodput(const std::string& level, double goodput, double best, double least, Faults& faults);

// Adds a fault where more than one in fifty of the arrivals at `level` found no device free: it was the fleet then that
// could do no more, and nothing is known of the server. `taken` are the others.
void CheckArrivals(const std::string& level, uint64_t taken, uint64_t missed, Faults& faults);

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_GOODPUT_H_
