#include "loadtest/goodput.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace caresync::loadtest {
namespace {

// One arrival in so many may be missed.
constexpr uint64_t kOneIn = 50;

}  // namespace

void CheckGoodput(const std::string& level, double goodput, double best, double least, Faults& faults) {
  if (goodput >= least * best) return;
  faults.Add(absl::StrFormat("%s: %.1f syncs were recorded a second, %.2f of the best, which is less than %.2f", level,
                             goodput, goodput / best, least));
}

void CheckArrivals(const std::string& level, uint64_t taken, uint64_t missed, Faults& faults) {
  const uint64_t all = taken + missed;
  if (missed * kOneIn <= all) return;
  faults.Add(absl::StrCat(level, ": no device was free for ", missed, " of ", all,
                          " arrivals: the fleet could do no more, not the server"));
}

}  // namespace caresync::loadtest
