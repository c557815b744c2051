// Bugs that are planted on purpose, to measure whether the simulation finds them. They are in a build with the CMake
// option CARESYNC_PLANTED_BUGS alone, and there one at a time, when the program asks for it; in every other build
// the question is answered when it is compiled, and nobody pays for it.
//
// Each breaks one rule of the product. `tools/checks/planted_faults.py` sees to it that each has a place in the code.
#ifndef CARESYNC_SERVER_BASE_PLANTED_BUG_H_
#define CARESYNC_SERVER_BASE_PLANTED_BUG_H_

namespace caresync::base {

enum class PlantedBug {
  // Positions in a feed are bare revisions.
  kPositionWithoutRecordKey,
  // A copy that is being made is never told of a removal.
  kRebuildWithoutLateRemovals,
  // The ack of a batch of a copy that is being made moves the device's cursor.
  kRebuildAckCounts,
  // A batch's cursor is its position's revision, not the head in its snapshot.
  kCursorOfPosition,
  // Whether removals were forgotten is asked of a sync's first batch alone.
  kHorizonAtStartOnly,
  // A `caught_up` says what a later snapshot shows than the one that was scanned.
  kCaughtUpOfLaterSnapshot,
  // A task that gives access gives what its change saw, whatever has become of it since.
  kReplayedFanOut,
  // Sessions read on while a task that concerns them is under way.
  kNoWaitForFanOuts,
  // A care event with the number of a known one is taken for that one.
  kEventsKnownByNumber,
  // External IDs are looked up in the state from before the message.
  kMatchingOutsideSequencer,
  // A session writes its device's rows though another one has taken over.
  kNoSessionCheck,
  // Whether a visit is inside the window is asked of the clock.
  kWindowByClock,
  // Every opening of a store goes on with the same timeline.
  kTimelineKept,
  // A commit is answered before it is on the disk.
  kReplyBeforeFsync,
  // With one grant on a record the receiver loses all its grants on it.
  kRemovalWithGrantLeft,
  // A mismatch opens whatever its device has acknowledged since the look has read.
  kLookWithoutCondition,
  // A mismatch is due when its grace is over, however near or far its visit.
  kMismatchByGraceAlone,
  // The ack of the device that synced last settles a change, whichever the carer uses.
  kAnyDevicesAckSettles,
  // What a visit was changed back to settles its mismatch: nobody asks whether the device was sent what was in between.
  kMovedBackSettles,
  // A device that has acknowledged part of a delta is taken to show all that its carer's feed showed then.
  kPartOfDeltaIsWhole,
};

#ifdef CARESYNC_PLANTED_BUGS

inline constexpr bool kHasPlantedBugs = true;

namespace internal {
inline bool planted_any = false;
inline PlantedBug planted{};
}  // namespace internal

// For the rest of the process, before any other thread of it runs.
inline void PlantBug(PlantedBug bug) {
  internal::planted_any = true;
  internal::planted = bug;
}

inline bool HasPlantedBug(PlantedBug bug) { return internal::planted_any && internal::planted == bug; }

#else

inline constexpr bool kHasPlantedBugs = false;

inline void PlantBug(PlantedBug) {}

constexpr bool HasPlantedBug(PlantedBug) { return false; }

#endif

}  // namespace caresync::base

#endif  // CARESYNC_SERVER_BASE_PLANTED_BUG_H_
