// When changes of visits become mismatches, and how late people are told of them.
//
// Pure functions; safe from any thread.
#ifndef CARESYNC_LOADTEST_DEADLINES_H_
#define CARESYNC_LOADTEST_DEADLINES_H_

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "loadtest/histogram.h"

namespace caresync::loadtest {

// The record IDs of a carer and of a visit: there is one mismatch of them at most.
using CarerVisit = std::pair<std::string, std::string>;

// Of visits whose changes no device acknowledges: when each begins.
using Starts = std::map<CarerVisit, absl::Time>;

// What people were told of one that is open.
struct ToldMismatch {
  // When the first of the changes was committed, and when the mismatch was opened: by the server's clock.
  absl::Time change;
  absl::Time opened;
  // When it was told first, by the clock of this machine.
  absl::Time came;
};
using ToldMismatches = std::map<CarerVisit, ToldMismatch>;

// When a change that was committed at `change` is a mismatch, of a visit that was to begin at `start`, and still is or
// is new: in a tenant that has set no times of its own.
absl::Time DueOf(absl::Time change, absl::Time start);

// Behind when they were due.
struct Lateness {
  // Until they were open, as the server says.
  Histogram opened;
  // Until people were told: this machine's clock is the server's, or as good as that.
  Histogram told;
};

// Of those of `starts` that were told and were due from `from` on and before `until`.
Lateness LatenessOf(const Starts& starts, const ToldMismatches& told, absl::Time from = absl::InfinitePast(),
                    absl::Time until = absl::InfiniteFuture());

// Each that is missing among those that were told, or in the office's list (`listed`); that was open before it was due;
// and of `carers` (record IDs) each that is none of `starts`. What is open of others is not looked at: whoever has no
// device lacks the whole rota.
std::vector<std::string> FaultsOfMismatches(const Starts& starts, const ToldMismatches& told,
                                            const std::set<CarerVisit>& listed, const std::set<std::string>& carers);

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_DEADLINES_H_
