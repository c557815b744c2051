// Writes down what the server says in each kind of sync.
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "loadtest/dialogues.h"
#include "loadtest/scenarios.h"
#include "loadtest/stopwatch.h"

namespace caresync::loadtest {
namespace {

// One sync of `type` on every device; what was said to the first device of each carer.
std::vector<Dialogue> Record(Stage& stage, v1::SyncType type, Phase& phase) {
  // Each entry is its device's alone.
  std::vector<std::optional<Dialogue>> heard(stage.fleet.size());
  stage.report.Measure(phase, [&] {
    stage.fleet.Run(
        [&heard, type](size_t index, VirtualDevice& device) -> std::optional<SyncPlan> {
          std::optional<Dialogue>& dialogue = heard[index];
          if (dialogue.has_value()) return std::nullopt;
          dialogue = Dialogue{device.carer_id(), type, {}};
          SyncPlan plan;
          plan.type = type;
          plan.on_applied = [&dialogue](const v1::SyncResponse& response, Instant) {
            dialogue->responses.push_back(response);
          };
          return plan;
        },
        phase.syncs);
  });
  std::vector<Dialogue> dialogues;
  std::set<std::string> carers;
  for (std::optional<Dialogue>& dialogue : heard) {
    if (carers.insert(dialogue->carer_id).second) dialogues.push_back(*std::move(dialogue));
  }
  return dialogues;
}

// Whoever says them again knows an end by its last message.
void CheckEnds(const std::vector<Dialogue>& dialogues, Faults& faults) {
  for (const Dialogue& dialogue : dialogues) {
    if (dialogue.responses.empty() || !dialogue.responses.back().has_sync_recorded()) {
      faults.Add(
          absl::StrCat("what was said to a device of carer ", dialogue.carer_id, " did not end with its record"));
    }
  }
}

}  // namespace

absl::Status RunRecord(Stage& stage) {
  Phase& phase = stage.report.AddPhase("record");
  std::vector<Dialogue> dialogues = Record(stage, v1::SYNC_TYPE_CLEAN, phase);
  for (Dialogue& dialogue : Record(stage, v1::SYNC_TYPE_AUTO, phase)) dialogues.push_back(std::move(dialogue));
  CheckEnds(dialogues, stage.faults);
  return WriteDialogues(stage.options.dialogues, dialogues);
}

}  // namespace caresync::loadtest
