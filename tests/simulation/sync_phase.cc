#include "tests/simulation/sync_phase.h"

namespace caresync::simulation {

SyncPhase PhaseOf(const SimulatedStream& stream) {
  return stream.server_open() ? PhaseOf(stream.facts()) : SyncPhase::kOther;
}

SyncPhase PhaseOf(const StreamFacts& facts) {
  if (!facts.policy.has_value()) return SyncPhase::kUnanswered;
  if (facts.events_answered < facts.start.unsent_events() || !facts.unanswered.empty()) return SyncPhase::kUploading;
  if (facts.mid_download) return facts.of_new_copy ? SyncPhase::kNewCopy : SyncPhase::kDelta;
  if (facts.confirmed) return SyncPhase::kOther;
  if (facts.caught_up.has_value()) return SyncPhase::kCaughtUp;
  return facts.recorded && facts.start.follow() ? SyncPhase::kFollowing : SyncPhase::kOther;
}

const char* NameOf(SyncPhase phase) {
  switch (phase) {
    case SyncPhase::kUnanswered:
      return "before start was answered";
    case SyncPhase::kUploading:
      return "while uploading";
    case SyncPhase::kNewCopy:
      return "between batches of a new copy";
    case SyncPhase::kDelta:
      return "between batches of a delta";
    case SyncPhase::kCaughtUp:
      return "with caught_up sent and not acked";
    case SyncPhase::kFollowing:
      return "following";
    case SyncPhase::kOther:
      break;
  }
  return "otherwise";
}

}  // namespace caresync::simulation
