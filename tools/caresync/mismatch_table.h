// Sync mismatches as a table for people.
#ifndef CARESYNC_TOOLS_CARESYNC_MISMATCH_TABLE_H_
#define CARESYNC_TOOLS_CARESYNC_MISMATCH_TABLE_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "caresync/v1/mismatches.pb.h"
#include "tools/caresync/output.h"

namespace caresync::cli {

// In the order given. Those that have `ended` are shown with when they did; others with why the device has not taken
// the change, and what to do about it. Where people snoozed or closed any, a column says who, until when, and the
// beginning of what they noted.
std::string MismatchTable(const std::vector<v1::Mismatch>& mismatches, bool ended, absl::TimeZone zone,
                          const Look& look);

// One by itself: its state, the visit, what happened, what to do about it; and where it is snoozed or closed who did
// that.
std::string MismatchLine(const v1::Mismatch& mismatch, absl::TimeZone zone, bool with_colour);

// Which mismatches the user asked for; empty: not said.
struct MismatchesOf {
  std::string tenant;
  std::string branch;
  std::string carer;
};

// The command that lists them, as a shell takes it.
std::string ListingCommand(const MismatchesOf& of);

// Groups of mismatches in the order given, one in no group as one of 1; below them, of each burst and each outage, how
// its members are listed of what was asked for.
std::string MismatchGroupTable(const std::vector<v1::MismatchGroup>& groups, const MismatchesOf& of,
                               absl::TimeZone zone, const Look& look);

}  // namespace caresync::cli

#endif  // CARESYNC_TOOLS_CARESYNC_MISMATCH_TABLE_H_
