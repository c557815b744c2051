#include "tests/simulation/planted_bugs.h"

namespace caresync::simulation {

using base::PlantedBug;

const std::vector<NamedBug>& PlantedBugs() {
  static const std::vector<NamedBug>& bugs = *new std::vector<NamedBug>{
      {PlantedBug::kPositionWithoutRecordKey, "position-without-record", "a position is a bare revision"},
      {PlantedBug::kRebuildWithoutLateRemovals, "late-removals", "a new copy is not told of removals since it began"},
      {PlantedBug::kRebuildAckCounts, "rebuild-ack", "an ack of a copy that is being made counts"},
      {PlantedBug::kCursorOfPosition, "cursor-of-position", "a cursor is the position's revision, not the snapshot's"},
      {PlantedBug::kHorizonAtStartOnly, "horizon-at-start", "the horizon is looked at in the first batch only"},
      {PlantedBug::kCaughtUpOfLaterSnapshot, "later-caught-up", "caught_up is of a later snapshot than its scan"},
      {PlantedBug::kReplayedFanOut, "replayed-fan-out", "a fan-out gives what its change saw"},
      {PlantedBug::kNoWaitForFanOuts, "no-wait", "sessions do not wait for fan-outs"},
      {PlantedBug::kEventsKnownByNumber, "events-by-number", "events are known by their number"},
      {PlantedBug::kMatchingOutsideSequencer, "matching-outside", "external IDs are matched outside the sequencer"},
      {PlantedBug::kNoSessionCheck, "no-session-check", "a session that was taken over still writes"},
      {PlantedBug::kWindowByClock, "window-by-clock", "the window follows the clock, not its stored edge"},
      {PlantedBug::kTimelineKept, "timeline-kept", "a store that is put back keeps its timeline"},
      {PlantedBug::kReplyBeforeFsync, "reply-before-fsync", "a commit is answered before it is durable"},
      {PlantedBug::kRemovalWithGrantLeft, "removal-with-grant", "a record is removed while another grant is left"},
      {PlantedBug::kLookWithoutCondition, "look-without-condition", "a mismatch opens whatever was acknowledged since"},
      {PlantedBug::kMismatchByGraceAlone, "grace-alone", "a mismatch is due after its grace, however far its visit"},
      {PlantedBug::kAnyDevicesAckSettles, "any-device", "the ack of the device that synced last settles a change"},
      {PlantedBug::kMovedBackSettles, "moved-back", "a visit that is moved back to where it was is no mismatch"},
      {PlantedBug::kPartOfDeltaIsWhole, "part-is-whole", "a device with part of a delta is taken to show all of it"},
  };
  return bugs;
}

std::optional<NamedBug> FindPlantedBug(std::string_view name) {
  for (const NamedBug& bug : PlantedBugs()) {
    if (bug.name == name) return bug;
  }
  return std::nullopt;
}

}  // namespace caresync::simulation
