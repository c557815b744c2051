// How much slower devices sync while something else goes on.
#ifndef CARESYNC_LOADTEST_SLOWDOWN_H_
#define CARESYNC_LOADTEST_SLOWDOWN_H_

#include "loadtest/faults.h"
#include "loadtest/report.h"

namespace caresync::loadtest {

// Adds a fault where the median auto sync of `phase` took longer than `most` times that of `quiet`, and where one
// of the two has no such sync: nothing can be said then.
void CheckSlowdown(const Phase& quiet, const Phase& phase, double most, Faults& faults);

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_SLOWDOWN_H_
