#include "tools/caresync/check_client/checker.h"

#include <utility>

namespace caresync::cli::check {

absl::Status Check(const std::vector<const Scenario*>& scenarios, const Stage& stage,
                   const std::function<void(const Verdict&)>& told) {
  for (const Scenario* scenario : scenarios) {
    Player player(*scenario, stage);
    absl::StatusOr<Findings> broken = player.Play();
    Verdict verdict{scenario, {}, ""};
    if (broken.ok() && !broken->empty()) verdict.output = stage.driver.Output();
    stage.driver.EndScenario();
    if (stage.inbox.stopped()) return absl::OkStatus();
    if (!broken.ok()) return broken.status();
    verdict.broken = *std::move(broken);
    told(verdict);
  }
  return absl::OkStatus();
}

}  // namespace caresync::cli::check
