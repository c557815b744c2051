#include "tests/simulation/seed_run.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"

namespace caresync::simulation {
namespace {

constexpr int kSteps = 1'200;

// Faults and transitions without which a run has not tried what it is for.
const char* const kRequired[] = {
    "change CHANGE_OUTCOME_CREATED",
    "change CHANGE_OUTCOME_UPDATED",
    "change CHANGE_OUTCOME_UNCHANGED",
    "change CHANGE_OUTCOME_WAITING",
    "rota answer lost, message sent twice",
    "rota message failed STORE_FULL",
    "rota message failed STORE_UNAVAILABLE",
    "rota message failed COMMIT_CONFLICT",
    "sync SYNC_TYPE_STANDARD",
    "sync SYNC_TYPE_CLEAN",
    "sync SYNC_TYPE_AUTO",
    "clean sync while a visit is open",
    "clean sync while a form is filled in",
    "sync recorded",
    "one message each way",
    "sync that follows",
    "round",
    "round that makes a new copy",
    "confirmation without changes",
    "upload while following",
    "follower left",
    "notice",
    "auto sync interval set",
    "auto syncs switched off",
    "another auto sync interval told while connected",
    "credential's end told",
    "waited for a credential's end",
    "asked a device to sync that was not connected",
    "credential ended after that was told",
    "follower that owes nothing ended CREDENTIAL_EXPIRED",
    "follower that owes nothing ended SHUTTING_DOWN",
    "going_away told",
    "an interval",
    "removals sent",
    "removals sent to a new copy",
    "visit taken away during a new copy",
    "visit given back during the same new copy",
    "visit given back between two batches of a delta",
    "REBUILD_REASON_NEW_COPY",
    "REBUILD_REASON_CLEAN_SYNC",
    "REBUILD_REASON_EXPIRED",
    "REBUILD_REASON_FOREIGN",
    "REBUILD_REASON_DIVERGED",
    "copy spoiled",
    "spoiled copy made anew",
    "spoiled copy put right",
    "ended COPY_DIVERGED",
    "rebuild resumed",
    "rebuild after another",
    "next visits sent",
    "next visits alone at start",
    "unfinished rebuild at start",
    "event EVENT_OUTCOME_ACCEPTED",
    "event EVENT_OUTCOME_KNOWN",
    "event EVENT_OUTCOME_FOR_REVIEW",
    "REVIEW_REASON_VISIT_UNKNOWN",
    "REVIEW_REASON_VISIT_CANCELLED",
    "REVIEW_REASON_CARER_NOT_ASSIGNED",
    "REVIEW_REASON_SERVICE_USER_NOT_VISIBLE",
    "REVIEW_REASON_EVENT_ID_REUSED",
    "REVIEW_REASON_FOLLOWS_ONE_FOR_REVIEW",
    "event resolved by itself",
    "event follows one that a person ruled on",
    "ruling RESOLUTION_APPLIED",
    "ruling RESOLUTION_APPLIED on another record",
    "ruling RESOLUTION_ACCEPTED_AS_UNPLANNED",
    "ruling RESOLUTION_ACCEPTED_AS_UNPLANNED on another record",
    "ruling RESOLUTION_DISCARDED",
    "ruling of one whose ID was used",
    "ruling said again",
    "ruling refused EVENT_RESOLVED",
    "ruling refused VISIT_UNKNOWN",
    "event sent again",
    "event with other bytes",
    "cut",
    "cut: before start was answered",
    "cut: while uploading",
    "cut: between batches of a new copy",
    "cut: between batches of a delta",
    "cut: with caught_up sent and not acked",
    "cut: following",
    "device killed",
    "killed before it was durable",
    "killed before its ack",
    "ack left out",
    "ack said again",
    "ack said again by a follower",
    "lower ack said",
    "lower ack said by a follower",
    "upload said twice",
    "second stream",
    "half-closed early",
    "removals forgotten",
    "commit conflicts",
    "commit unknown, applied",
    "commit unknown, not applied",
    "commit lands late",
    "late commit took effect",
    "late commit met a conflict",
    "store full",
    "store unavailable",
    "commits held back",
    "reads fail",
    "others are quicker",
    "crash",
    "crash: before start was answered",
    "crash: while uploading",
    "crash: between batches of a new copy",
    "crash: between batches of a delta",
    "crash: with caught_up sent and not acked",
    "crash: following",
    "power cut",
    "power cut: before start was answered",
    "power cut: while uploading",
    "power cut: between batches of a new copy",
    "power cut: with caught_up sent and not acked",
    "power cut: following",
    "orderly shutdown",
    "shutdown: following",
    "restart after a week",
    "backup",
    "restore",
    "restore that no device shows",
    "source reads anew",
    "mismatch told",
    "watcher of mismatches begins anew",
    "source is told of a restore",
    "source has sent again",
    "told to wait",
    "asked for events again",
    "rebuilds released",
    "ended WAITING_AFTER_RESTORE",
    "short restore wait set",
    "long restore wait set",
    "told to wait longer than by default",
    "silence",
    "clock jump forwards",
    "clock jump back",
    "window changed",
    "a visit comes with time",
    "a visit leaves with time",
    "carer left",
    "carer came back",
    "carer who has not come yet",
    "a group's members change, seen by a carer",
    "a group's members change during a new copy",
    "a group's members change while a member follows",
    "a group's access changes during a new copy",
    "access set",
    "access set, seen by a carer",
    "care plan put",
    "care plan put, seen by a carer",
    "care plan deleted",
    "care plan deleted, seen by a carer",
    "care plan sent",
    "care plan taken off",
    "device blocked",
    "user taken off a device",
    "device handed over",
    "device allowed",
    "copies to drop at a start",
    "copies to drop while connected",
    "app goes to data level 2",
    "app goes back to data level 1",
    "REBUILD_REASON_DATA_LEVEL",
    "least app version set",
    "report: DEVICE_STATE_CURRENT",
    "report: DEVICE_STATE_BEHIND",
    "report: DEVICE_STATE_MANUAL_SYNC_DUE",
    "report: DEVICE_STATE_OVERDUE",
    "report: overdue, sooner than by default",
    "report: not overdue, though it would be by default",
    "report: DEVICE_STATE_FAILING",
    "report: DEVICE_STATE_DIVERGED",
    "report: DEVICE_STATE_NEVER_SYNCED",
    "report: DEVICE_STATE_TOO_OLD",
    "report: DEVICE_STATE_NO_USER",
    "report: DEVICE_STATE_BLOCKED",
    "shown as current",
    "device view compared",
    "device view of part of a delta compared",
    "device view of no copy",
    "device view that is not known",
    "delivery listed",
    "acks recorded",
    "carer uses another device",
    "device in use by what was recorded",
    "mismatch opened",
    "mismatch opened again",
    "mismatch resolved",
    "mismatch of a carer without a device",
    "mismatch of a visit that is gone",
    "mismatch that must be open",
    "mismatches listed",
    "shown: MISMATCH_STATE_AT_RISK",
    "shown: MISMATCH_STATE_LIKELY_MISSED_VISIT",
    "shown: MISMATCH_STATE_UNKNOWN_DEVICE_SILENT",
    "shown: MISMATCH_STATE_UNNEEDED_JOURNEY",
    "waited for looks",
    "ack between a look and its commit",
    "mismatch of a change minutes before its visit",
    "mismatch of a visit after clocks go forwards",
    "mismatch of a visit after clocks go back",
    "mismatch of a phone that is off for hours",
    "moved back while the ack of the move is lost",
    "moved back while the device is silent",
    "mismatch not opened, as it was taken back",
    "mismatch resolved as it was taken back",
    "time told in summer time",
    "time told in standard time",
    "commit during a fan-out",
    "commit while a window is worked out anew",
    "start during a fan-out",
    "follower whose carer left",
    "refused to the end: CARER_LEFT",
    "refused to the end: DEVICE_BLOCKED",
    "refused to the end: CARER_NOT_A_USER",
    "refused to the end: DEVICE_CLONED",
    "phone cloned",
    "phone backed up",
    "phone put back",
    "app installed anew",
    "phone off for hours",
    "phone back after hours",
    "device marked as cloned",
    "mark of a clone cleared",
    "upload of a cloned device taken",
    "ended OK",
    "ended SESSION_TAKEN_OVER",
    "ended LEFT_UNFINISHED",
    "ended DEVICE_SILENT",
    "ended DEVICE_NOT_READING",
    "ended START_TOO_LATE",
    "ended CREDENTIAL_EXPIRED",
    "ended SHUTTING_DOWN",
    "ended CARER_UNKNOWN",
    "ended STREAM_CUT",
    "ended STORE_FULL",
    "ended STORE_UNAVAILABLE",
    "ended CLEAN_SYNC_WOULD_LOSE_WORK",
    "ended CARER_LEFT",
    "ended DEVICE_BLOCKED",
    "ended DEVICE_CLONED",
    "ended CARER_NOT_A_USER",
    "ended APP_TOO_OLD",
};

// Likewise of a run of very many.
const char* const kRarest[] = {
    "second spoiled copy of a device",
    "wait ended by its bound",
    "wait ended by its bound, sooner than by default",
    "told to wait, and the carer is not known",
    "power cut: between batches of a delta",
    "ended FAN_OUT_UNDER_WAY",
    "mismatch resolved as the rota changes again",
    "shown: MISMATCH_STATE_CHANGED",
    "mismatch opened after clocks went forwards",
    "mismatch opened after clocks went back",
    "visit that is not certain in a device view",
};

// Of so many of the visits that a device showed it must be certain how it showed them.
constexpr uint64_t kOneUncertainIn = 100;

// What no schedule of correct devices may lead to.
const char* const kForbidden[] = {
    "ended ACK_NEVER_ISSUED", "ended TOKEN_NOT_VALID", "ended TOKEN_OF_ANOTHER_COPY",
    "ended DAMAGED_ROW",      "ended INVALID_FIELD",   "ended TOO_MANY_EVENTS",
    "ended START_REPEATED",   "ended START_EXPECTED",  "ended EMPTY_MESSAGE",
};

}  // namespace

SeedOutcome RunSeed(uint64_t seed, bool echo) {
  SeedOutcome outcome;
  {
    SimulatedWorld world(seed, outcome.counts, echo);
    outcome.fault = world.Run(kSteps);
    outcome.trace_hash = world.trace_hash();
  }
  for (const char* what : kForbidden) {
    if (outcome.fault.empty() && outcome.counts.contains(what))
      outcome.fault = absl::StrCat(what, ", of correct devices");
  }
  return outcome;
}

SeedOutcome RunSeedOfMany(uint64_t seed, bool in_sample) {
  SeedOutcome outcome = RunSeed(seed, false);
  if (!in_sample || !outcome.fault.empty()) return outcome;
  if (RunSeed(seed, false).trace_hash != outcome.trace_hash) outcome.fault = "the seed does not repeat itself";
  return outcome;
}

bool IsInSample(uint64_t seed, uint64_t first) { return (seed - first) % kSampled == 0; }

std::vector<std::string> NeverHappened(const Counts& counts, uint64_t seeds) {
  std::vector<std::string> missing;
  const auto require = [&](const char* what) {
    const auto count = counts.find(what);
    if (count == counts.end() || count->second == 0) missing.emplace_back(what);
  };
  if (seeds >= kSeedsForAllFaults) std::for_each(std::begin(kRequired), std::end(kRequired), require);
  if (seeds >= kSeedsForTheRarest) std::for_each(std::begin(kRarest), std::end(kRarest), require);
  return missing;
}

std::vector<std::string> TooOften(const Counts& counts, uint64_t seeds) {
  if (seeds < kSeedsForAllFaults) return {};
  const auto of = [&counts](const char* what) {
    const auto count = counts.find(what);
    return count == counts.end() ? 0 : count->second;
  };
  const char* const uncertain = "visit that is not certain in a device view";
  if (of(uncertain) * kOneUncertainIn <= of("visit in a device view")) return {};
  return {absl::StrCat(uncertain, ", more than one in ", kOneUncertainIn)};
}

void AddTo(Counts& sums, const Counts& counts) {
  for (const auto& [what, count] : counts) sums[what] += count;
}

}  // namespace caresync::simulation
