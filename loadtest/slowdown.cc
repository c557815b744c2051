#include "loadtest/slowdown.h"

#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace caresync::loadtest {
namespace {

Histogram AutoSyncs(const Phase& phase) {
  const std::map<std::string, Histogram> latencies = phase.syncs.latencies();
  const auto found = latencies.find("auto");
  return found == latencies.end() ? Histogram() : found->second;
}

}  // namespace

void CheckSlowdown(const Phase& quiet, const Phase& phase, double most, Faults& faults) {
  const Histogram before = AutoSyncs(quiet);
  const Histogram now = AutoSyncs(phase);
  if (before.count() == 0 || now.count() == 0) {
    faults.Add(absl::StrCat(phase.name, ": cannot be compared with ", quiet.name, ": one of them has no auto sync"));
    return;
  }
  const double times = absl::FDivDuration(now.Percentile(50), before.Percentile(50));
  if (times <= most) return;
  faults.Add(absl::StrFormat("%s: the median sync took %.1f ms, %.2f times as long as in %s, which is past %.2f times",
                             phase.name, absl::ToDoubleMilliseconds(now.Percentile(50)), times, quiet.name, most));
}

}  // namespace caresync::loadtest
