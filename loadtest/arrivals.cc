#include "loadtest/arrivals.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

namespace caresync::loadtest {
namespace {

// A device and a visit.
using Place = std::pair<size_t, std::string>;

}  // namespace

size_t LackingOf(const SentChanges& changes, const std::vector<Arrival>& arrivals) {
  // By visit.
  std::map<std::string, uint64_t> last;
  for (const auto& [revision, change] : changes) last[change.visit_id] = revision;
  size_t lacking = 0;
  for (const auto& [visit, revision] : last) lacking += changes.at(revision).devices;
  std::set<Place> complete;
  for (const Arrival& arrival : arrivals) {
    const auto wanted = last.find(arrival.visit_id);
    if (wanted != last.end() && arrival.revision == wanted->second) complete.insert({arrival.device, arrival.visit_id});
  }
  // More than there are devices is a fault that FaultsOfArrivals does not see: it is told as one that lacks.
  return lacking >= complete.size() ? lacking - complete.size() : complete.size() - lacking;
}

std::vector<std::string> FaultsOfArrivals(const SentChanges& changes, const std::vector<Arrival>& arrivals) {
  std::vector<std::string> faults;
  std::map<Place, uint64_t> latest;
  for (const Arrival& arrival : arrivals) {
    const auto change = changes.find(arrival.revision);
    if (change == changes.end() || change->second.visit_id != arrival.visit_id) {
      faults.push_back(absl::StrCat("visit ", arrival.visit_id, " came with revision ", arrival.revision,
                                    ", which did not change it"));
      continue;
    }
    uint64_t& before = latest[{arrival.device, arrival.visit_id}];
    if (arrival.revision <= before) {
      faults.push_back(absl::StrCat("visit ", arrival.visit_id, " came to device ", arrival.device, " with revision ",
                                    arrival.revision, " behind ", before));
    }
    before = arrival.revision;
  }
  return faults;
}

}  // namespace caresync::loadtest
