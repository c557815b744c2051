// Devices by the hundred thousand, each of which syncs once and is never heard of again.
#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "loadtest/scenarios.h"
#include "loadtest/stopwatch.h"
#include "server/base/status_macros.h"

namespace caresync::loadtest {

absl::Status RunRegister(Stage& stage) {
  Phase& phase = stage.report.AddPhase("register");
  size_t registered = stage.fleet.size();
  // One fleet after the other, so that this process holds the copies of one.
  while (registered < stage.options.registered && !StopWished()) {
    const size_t count = std::min(stage.fleet.size(), stage.options.registered - registered);
    ASSIGN_OR_RETURN(const std::unique_ptr<Fleet> fleet,
                     Fleet::Make(count, absl::StrCat("registered after ", registered), stage.agency.carer_ids(),
                                 stage.credentials, stage.connections, stage.faults));
    stage.report.Measure(phase, [&] { fleet->RunOnce(v1::SYNC_TYPE_STANDARD, phase.syncs); });
    registered += count;
  }
  phase.sums["devices registered"] = registered;
  return absl::OkStatus();
}

}  // namespace caresync::loadtest
