#include "loadtest/deadlines.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/base/limits.h"

namespace caresync::loadtest {
namespace {

namespace limits = base::limits;

std::string Say(const CarerVisit& of) { return absl::StrCat("carer ", of.first, ", visit ", of.second); }

}  // namespace

absl::Time DueOf(absl::Time change, absl::Time start) {
  return std::min(std::max(change + limits::kMismatchGrace, start - limits::kMismatchLead),
                  std::max(change + limits::kMismatchSoonest, start - limits::kMismatchLatest));
}

Lateness LatenessOf(const Starts& starts, const ToldMismatches& told, absl::Time from, absl::Time until) {
  Lateness lateness;
  for (const auto& [of, start] : starts) {
    const auto one = told.find(of);
    if (one == told.end()) continue;
    const absl::Time due = DueOf(one->second.change, start);
    if (due < from || due >= until) continue;
    lateness.opened.Add(one->second.opened - due);
    lateness.told.Add(one->second.came - due);
  }
  return lateness;
}

std::vector<std::string> FaultsOfMismatches(const Starts& starts, const ToldMismatches& told,
                                            const std::set<CarerVisit>& listed, const std::set<std::string>& carers) {
  std::vector<std::string> faults;
  for (const auto& [of, start] : starts) {
    if (!listed.contains(of)) faults.push_back(absl::StrCat("a mismatch is not in the list: ", Say(of)));
    const auto one = told.find(of);
    if (one == told.end()) {
      faults.push_back(absl::StrCat("a mismatch was not told: ", Say(of)));
    } else if (const absl::Duration early = DueOf(one->second.change, start) - one->second.opened;
               early > absl::ZeroDuration()) {
      faults.push_back(
          absl::StrCat("a mismatch was open ", absl::FormatDuration(early), " before it was due: ", Say(of)));
    }
  }
  std::set<CarerVisit> open = listed;
  for (const auto& [of, one] : told) open.insert(of);
  for (const CarerVisit& of : open) {
    if (!starts.contains(of) && carers.contains(of.first)) {
      faults.push_back(absl::StrCat("a mismatch is open that is none: ", Say(of)));
    }
  }
  return faults;
}

}  // namespace caresync::loadtest
