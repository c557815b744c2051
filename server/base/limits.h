// Bounds of the server, with the reason of each that its name does not tell. Past one, the caller gets a named error
// and the rest goes on.
#ifndef CARESYNC_SERVER_BASE_LIMITS_H_
#define CARESYNC_SERVER_BASE_LIMITS_H_

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace caresync::base::limits {

// ---- Messages

// A gRPC message in: an upload or a request of changes, plus room for its framing.
inline constexpr size_t kMessageBytes = 1280 * 1024;
// A record alone: a long care plan with its text; kept below what one phone can be asked to hold in memory at once.
inline constexpr size_t kRecordBytes = 1024 * 1024;
// A batch of changes to a device: small enough to survive a bad network, large enough to fill one frame.
inline constexpr size_t kBatchBytes = 64 * 1024;
// Records in a batch: bounds the point reads of one snapshot.
inline constexpr size_t kBatchRecords = 500;
// Batches that a device may leave unacknowledged: bounds the positions kept for each session.
inline constexpr size_t kUnacknowledgedBatches = 64;

// ---- Uploads

// Events in one message: one commit.
inline constexpr size_t kUploadEvents = 100;
// Bytes of one message of events.
inline constexpr size_t kUploadBytes = 1024 * 1024;
// One event; a form with long answers.
inline constexpr size_t kEventBytes = 256 * 1024;
// Events that a device may declare; more come in its next sync.
inline constexpr uint32_t kUnsentEvents = 100'000;
// Uploads of one session that have no result yet: the stream is not read on past it.
inline constexpr size_t kUploadsInFlight = 4;
// Events that hang on one visit or service user.
inline constexpr size_t kEventsOfRecord = 2'000;
inline constexpr size_t kEventIdBytes = 64;
// Events of a visit that are read at once, and of one carer's that wait for review those that are, in search of one
// that shows that the carer came: a visit holds some tens.
inline constexpr size_t kEventsLookedThrough = 100;

// ---- Rotas

inline constexpr size_t kRosterChanges = 100;
inline constexpr size_t kExternalIdBytes = 128;
inline constexpr size_t kSourceBytes = 64;
inline constexpr size_t kNameCharacters = 200;
inline constexpr size_t kVisitAssignments = 16;
inline constexpr size_t kVisitActivities = 200;
inline constexpr size_t kVisitNotesCharacters = 4'000;
inline constexpr size_t kActivityIdCharacters = 128;
inline constexpr size_t kActivityDescriptionCharacters = 2'000;
inline constexpr size_t kPhoneCharacters = 32;
inline constexpr size_t kEmailCharacters = 254;
inline constexpr size_t kAddressCharacters = 500;
// Longest visit: live-in care is planned by the day.
inline constexpr absl::Duration kVisitLength = absl::Hours(48);
// Changes of one source that wait for a record not seen yet; and as many, apart, that waited and were refused.
inline constexpr uint64_t kWaitingChanges = 10'000;
// What a waiting change waits for, as a list tells it: all but those of a group, so that a page of them is no larger
// than a client takes.
inline constexpr size_t kMissingTold = 20;
// Waiting changes applied in one commit.
inline constexpr size_t kReleasedPerCommit = 50;
// From one message of a stream of changes to the next. A rostering system sends its changes when it has some, and opens
// a stream for them; one that is forgotten must not hold one of kOtherCalls for ever.
inline constexpr absl::Duration kChangesSilence = absl::Minutes(10);

// ---- Commits

// Feed entries that one commit may touch: what one snapshot read and one write batch carry without holding others up.
inline constexpr size_t kFanOutEntries = 4'096;
// Rows and bytes of one commit: a group of kGroupMembers that is replaced by as many others has four rows for each.
inline constexpr size_t kCommitRows = 50'000;
inline constexpr size_t kCommitBytes = 64 * 1024 * 1024;
// What a step that goes over visits writes of them before it ends, one visit more included: the rider writes each again
// for each of its carers (deliveries/entries.h), and a step that does not fit would be tried for ever.
inline constexpr size_t kVisitStepBytes = kCommitBytes / (2 * kVisitAssignments);
static_assert((kVisitStepBytes + kRecordBytes) * (1 + kVisitAssignments) < kCommitBytes);
// Changes of one tenant that wait for their turn.
inline constexpr size_t kQueuedChanges = 10'000;
// Memory that the changes of all tenants may hold while they wait: a few hundred full messages.
inline constexpr size_t kQueuedChangeBytes = 256 * 1024 * 1024;
// When a caller that met a full queue comes back: about as long as such a queue takes.
inline constexpr absl::Duration kQueueRetryAfter = absl::Seconds(5);
// Over how long they spread: those that met it together would fill the queue together again.
inline constexpr absl::Duration kQueueRetrySpread = absl::Seconds(5);
// Tries of a change that meets another process's commits.
inline constexpr int kConflictTries = 8;
// Reads of the head after a commit of unknown outcome, and the pause between them: an engine that cannot be read for
// half a minute does not come back by itself.
inline constexpr int kSettleReads = 30;
inline constexpr absl::Duration kSettlePause = absl::Seconds(1);
// Pairs of receiver and record that one commit looks at: most of them may be right already and move nothing.
inline constexpr size_t kFanOutPairs = 8'192;
// The same of one step of a fan-out: what others of the tenant commit meanwhile waits for a step to end.
inline constexpr size_t kFanOutStepEntries = 256;
inline constexpr size_t kFanOutStepPairs = 512;
// What was read of tenants lately, kept in memory while their heads stand: some KB for each tenant and each carer
// whose devices sync just now.
inline constexpr size_t kHeadMemoBytes = 32 * 1024 * 1024;
// Carers and groups that a fan-out names as those who wait; of more, a whole group or everybody waits.
inline constexpr size_t kFanOutScopes = 256;
// Carers or pairs that one task of a fan-out lists: what is left of its list is written with each step. More than are
// named one by one: of a large group's tasks each but the last, smaller one names the group, as rows for each
// carer, deleted as they are done, would be stepped over by everybody who looks whether to wait.
inline constexpr size_t kFanOutListed = 2 * kFanOutScopes;
// Timelines that a tenant remembers: one is added by each opening of the store that commits something.
inline constexpr size_t kTimelines = 1'024;
// Times that a due task may fail before it waits for an operator.
inline constexpr uint32_t kTaskFailures = 10;
// Due tasks of one tenant that are read at once.
inline constexpr size_t kDueTasks = 64;
// The pause after a task's first failure; it doubles with each further one, up to kTaskPauseMost: by then an operator
// has made room on the disk, say, and waits for what the server makes of it.
inline constexpr absl::Duration kTaskPause = absl::Seconds(1);
inline constexpr absl::Duration kTaskPauseMost = absl::Minutes(5);
// The longest pause of a task that somebody waits for.
inline constexpr absl::Duration kTaskRetryMost = absl::Minutes(1);
// How far away a task is put that failed kTaskFailures times: out of the way of the others, but never lost.
inline constexpr absl::Duration kTaskParked = absl::Hours(24 * 365);
// Tasks put off for so long that are named when the server starts, and that are looked at for that in one tenant.
inline constexpr size_t kParkedTasksNamed = 20;
inline constexpr size_t kParkedTasksCounted = 10'000;
// The longest sleep before due tasks are looked for: by then a wall clock that was set forward is noticed.
inline constexpr absl::Duration kTaskSleep = absl::Minutes(1);

// ---- Feeds

// Removals that a feed keeps beyond the number of its records: a device that was away for longer makes a new copy.
inline constexpr uint64_t kFeedRemovals = 1'024;
// Removals forgotten in one commit.
inline constexpr size_t kCompactedPerCommit = 1'024;

// ---- Devices

inline constexpr size_t kDeviceNameCharacters = 200;
inline constexpr size_t kAppVersionCharacters = 50;
// A phone's system says when it lets its app sync next; more than so far ahead, the phone's clock is wrong.
inline constexpr absl::Duration kNextSyncAhead = absl::Hours(7 * 24);
// What a session keeps of what a start names and has no bound of its own. Longer than every token that is issued, so
// that what is cut off is not one.
inline constexpr size_t kStartTextBytes = 1024;
inline constexpr size_t kDeviceUsers = 50;
// How far ahead a device's running number of events may jump and still be evidence: some years of recording.
inline constexpr uint64_t kEventNumberJump = 1'000'000;
// Syncs that the history of a device keeps.
inline constexpr uint64_t kSyncHistory = 1'000;
// The highest data level that this server knows; docs/protocol.md says which kinds need which.
inline constexpr uint32_t kDataLevel = 2;
// Copies that a device may be told to drop and has not dropped yet, beside those of its users.
inline constexpr size_t kDeviceDrops = 50;
// Take-overs within an hour past which two phones must be using one UUID: a bad network makes one at each new try.
inline constexpr size_t kTakeOversInAnHour = 200;
// Days of which a device's syncs are counted.
inline constexpr size_t kCountedDays = 30;
// Changes that wait for a copy are counted up to here.
inline constexpr uint64_t kBehindCounted = 10'000;

// ---- Sessions

// From the stream's opening to `start`.
inline constexpr absl::Duration kStartDeadline = absl::Seconds(10);
// While the device has something to do (send its events, ack): a phone that is silent for so long is gone.
inline constexpr absl::Duration kDeviceSilence = absl::Seconds(60);
// From the device's end of its side, with something left to do, to the end of the sync: a connection that breaks looks
// like that first.
inline constexpr absl::Duration kHalfCloseGrace = absl::Seconds(1);
// For one message to leave: a write that takes longer is a peer that does not read.
inline constexpr absl::Duration kWriteDeadline = absl::Seconds(30);
// Visits that are sent first to a phone that holds nothing: about a day's.
inline constexpr size_t kNextVisits = 10;
// How long ago such a visit may have begun.
inline constexpr absl::Duration kNextVisitsSince = absl::Hours(12);
// Visits of the carer that are looked at to find them: those that end from kNextVisitsSince ago until kVisitLength
// after the last of them started, some days' worth. Of more, those are found that end first.
inline constexpr size_t kNextVisitsLookedAt = 256;
// How long a session waits for fan-outs that concern its carer before it ends by name.
inline constexpr absl::Duration kFanOutWait = absl::Seconds(50);
// How often a waiting session looks again, should it have missed that the fan-out is through.
inline constexpr absl::Duration kFanOutLook = absl::Seconds(1);
// How long a device that met a fan-out stays away.
inline constexpr absl::Duration kFanOutRetryAfter = absl::Seconds(30);
// How often a follower confirms where the tenant has no auto syncs.
inline constexpr absl::Duration kFollowInterval = absl::Minutes(30);
// How long before its credential's end a follower is told.
inline constexpr absl::Duration kCredentialNotice = absl::Minutes(5);
// Sync streams open at once.
inline constexpr size_t kSessions = 50'000;
// How long the work that is next may have waited while new calls are still taken. A sync waits about five times on its
// way, so it takes some five seconds then: longer than a carer likes, and within what a device has patience for.
inline constexpr absl::Duration kCallDelay = absl::Seconds(1);
// The same while new copies are still begun. They are refused first: each takes the work of many deltas.
inline constexpr absl::Duration kCopyDelay = absl::Milliseconds(500);
// When work has waited without a break for so long, more comes than is done, and no burst: then both delays are a
// quarter of that. What waits at an overloaded server serves nobody the sooner, and a sync takes a second on its way
// instead of five.
inline constexpr absl::Duration kStandingWork = absl::Seconds(1);
inline constexpr absl::Duration kStandingCallDelay = absl::Milliseconds(250);
inline constexpr absl::Duration kStandingCopyDelay = absl::Milliseconds(125);
// They stay so until nobody was refused for so long.
inline constexpr absl::Duration kCalm = absl::Seconds(10);
// Copies that are being made at once: each has a batch or two in memory, however slowly its device reads.
inline constexpr size_t kCopiesBeingMade = 1'024;
// When a caller that the server had no room for comes back, at the soonest, and over how long all of them spread: of
// a herd of 5,000 fewer than 200 come back in a second.
inline constexpr absl::Duration kOverloadRetryAfter = absl::Seconds(2);
inline constexpr absl::Duration kOverloadRetrySpread = absl::Seconds(30);
// How often calls that there was no room for are written down, and of how many devices at once.
inline constexpr absl::Duration kShedCallsEvery = absl::Seconds(1);
inline constexpr size_t kShedDevices = 10'000;
// One rebuild after a divergence a device and day.
inline constexpr absl::Duration kDivergenceRebuildEvery = absl::Hours(24);

// ---- Groups and access

inline constexpr size_t kGroupMembers = 10'000;
// Groups of one carer: bounds what is looked at to say whether a carer may see a record.
inline constexpr size_t kGroupsOfCarer = 32;
// Groups of one carer, those included that it left a moment ago and whose fan-out is not through.
inline constexpr size_t kGroupRowsOfCarer = 64;
// Groups and single carers that may see one service user.
inline constexpr size_t kAccessGroups = 100;
inline constexpr size_t kAccessCarers = 200;
inline constexpr size_t kCarePlansOfServiceUser = 50;
// Those included that were deleted while a fan-out was under way: they are looked at with each of its pairs.
inline constexpr size_t kCarePlanRowsOfServiceUser = 500;
inline constexpr size_t kCarePlanTitleCharacters = 200;
inline constexpr size_t kCarePlanTextCharacters = 200'000;
// Of a care plan, or of a care event.
inline constexpr int kAttachments = 50;
inline constexpr size_t kAttachmentUrlCharacters = 2'048;

// ---- Windows

inline constexpr absl::Duration kWindowLeast = absl::Hours(1);
inline constexpr absl::Duration kWindowMost = absl::Hours(24 * 366);
// A visit stays on devices for a day at least: what was recorded on it is looked at, and shifts last a night.
inline constexpr absl::Duration kRetentionLeast = absl::Hours(24);
// How far behind its time the opening edge may be while `caught_up` is still said.
inline constexpr absl::Duration kOpeningEdgeLag = absl::Minutes(1);
// How far the closing edge may move at a start, and within an hour of the monotonic clock: a wrong wall clock cannot
// empty a fleet.
inline constexpr absl::Duration kClosingEdgeStep = absl::Hours(24);
// The longest that the edges stand still: by then a wall clock that was set is noticed, and the closing edge may go on.
inline constexpr absl::Duration kWindowSleep = absl::Hours(1);

// ---- Review

inline constexpr size_t kDiscardReasonCharacters = 500;
// Events behind a resolved one that are taken in one commit.
inline constexpr size_t kFollowersPerCommit = 50;

// ---- Restores

// A source that sent nothing for so long is not waited for.
inline constexpr absl::Duration kSourceActive = absl::Hours(24 * 7);
inline constexpr absl::Duration kRestoreWaitDefault = absl::Minutes(60);
inline constexpr absl::Duration kRestoreWaitMost = absl::Hours(24);
// Rebuilds after a restore are spread over so long.
inline constexpr absl::Duration kRebuildSpread = absl::Minutes(15);
// How often a device comes back while nobody can tell when the waiting ends.
inline constexpr absl::Duration kRestoreRetryAfter = absl::Minutes(5);
// How long a device that waits may be silent before it sends its events again, or between two uploads of them: it is
// asked again in its next sync.
inline constexpr absl::Duration kResendSilence = absl::Seconds(5);
// Timelines that a restore took back and that are remembered: one is enough for each opening of the store that was
// lost.
inline constexpr int kLostTimelines = 16;
// A source's last activity is written down no more often than this.
inline constexpr absl::Duration kSourceActivityEvery = absl::Hours(1);

// ---- Lists

inline constexpr int kPageSize = 100;
inline constexpr int kPageSizeMost = 1'000;
inline constexpr size_t kSearchBytes = 200;

// ---- Tenants

inline constexpr size_t kTenantIdBytes = 63;
// The longest IANA name has 32; the library keeps what it was once asked for.
inline constexpr size_t kTimeZoneBytes = 64;
inline constexpr absl::Duration kAutoSyncIntervalLeast = absl::Minutes(5);
inline constexpr absl::Duration kAutoSyncIntervalMost = absl::Hours(24);
inline constexpr absl::Duration kAutoSyncIntervalDefault = absl::Minutes(30);
// A next auto sync that is brought forward, since changes wait, is no nearer: a phone whose clock is ahead by less, as
// one that is set by the network is, does not come again at once.
inline constexpr absl::Duration kBroughtForwardLeast = absl::Minutes(1);
// Branches with an interval of their own: they stand in the tenant's row, which every start reads.
inline constexpr size_t kBranchAutoSyncs = 100;
inline constexpr size_t kAppVersionNumbers = 4;

// ---- Credentials

inline constexpr size_t kTokenBytes = 4 * 1024;
// Verified tokens kept by hash, until they expire.
inline constexpr size_t kVerifiedTokens = 100'000;
inline constexpr absl::Duration kTokenLifetimeMost = absl::Hours(24 * 366);

// ---- Care event streams

inline constexpr size_t kDeliveredEvents = 100;

// ---- What a care event may hold: what a carer types on a phone, with room

inline constexpr size_t kOutcomeCommentCharacters = 4'000;
inline constexpr size_t kNoteCharacters = 8'000;
inline constexpr size_t kFormIdCharacters = 128;
inline constexpr size_t kFormAnswers = 500;
inline constexpr size_t kFormAnswerCharacters = 4'000;

// ---- Sync mismatches

// Between a change of the rota and its mismatch, where the visit is near; and how long before a visit that is further
// away it comes at the latest.
inline constexpr absl::Duration kMismatchGrace = absl::Minutes(20);
inline constexpr absl::Duration kMismatchLead = absl::Hours(24);
// What a tenant may make of them: no phone syncs by itself more often than the shortest grace, and a week ahead rotas
// still move.
inline constexpr absl::Duration kMismatchGraceLeast = absl::Minutes(5);
inline constexpr absl::Duration kMismatchGraceMost = absl::Hours(24);
inline constexpr absl::Duration kMismatchLeadLeast = absl::Minutes(30);
inline constexpr absl::Duration kMismatchLeadMost = absl::Hours(7 * 24);
// A visit that is so near leaves no time for the grace: the office has the last minutes before it. No device has less
// than the shorter one to take a change.
inline constexpr absl::Duration kMismatchLatest = absl::Minutes(30);
inline constexpr absl::Duration kMismatchSoonest = absl::Minutes(2);
// No carer comes so early: what was done at a visit before that was done when it was planned for another time.
inline constexpr absl::Duration kMismatchSignEarliest = absl::Hours(3);
// None is opened so soon after the server came back: devices that could not reach it sync first.
inline constexpr absl::Duration kMismatchesRest = absl::Minutes(2);
// The task of a tenant's mismatches sleeps no longer, whatever the clock said when it went to sleep.
inline constexpr absl::Duration kMismatchSleep = absl::Hours(1);
// A clock that shows this much less than it did was ahead; less is how clocks are kept right.
inline constexpr absl::Duration kMismatchClockSlack = absl::Minutes(1);
// What is looked at again in so long or later is not put off for the sake of a sync that begins: its own commit takes
// effect before.
inline constexpr absl::Duration kLookedAtAnyway = absl::Minutes(1);
// Mismatches that one step looks at.
inline constexpr size_t kMismatchesLookedAt = 256;
// Open mismatches of a carer that one commit looks at after a sync; of more, all are looked at in steps.
inline constexpr size_t kMismatchesOfSync = 1'024;
// How long a person may put one off, what the person may write to it, and how much of that is kept.
inline constexpr absl::Duration kSnoozeMost = absl::Hours(24);
inline constexpr size_t kMismatchNoteCharacters = 500;
inline constexpr int kMismatchTransitions = 100;
// Other devices of a carer that one tells of, and syncs of the carer that are searched for them.
inline constexpr size_t kMismatchDevices = 10;
inline constexpr size_t kMismatchSyncsSearched = 200;
// More of them are told as one, where that is asked for: of one carer; and of what the rota changes in one go, whoever
// it is for. A rota that is published again comes in messages close behind each other; people change visits one by one.
inline constexpr size_t kMismatchesOfCarerAlone = 5;
inline constexpr size_t kMismatchesOutsideABurst = 25;
inline constexpr absl::Duration kBurstPause = absl::Seconds(10);
// Phones that a network or a server cuts off at one moment synced last within an auto sync interval before it. As many
// mismatches as make a burst make an outage.
inline constexpr absl::Duration kOutagePause = kAutoSyncIntervalDefault;
// How long after its visit one is kept that was ever opened.
inline constexpr absl::Duration kMismatchKept = absl::Hours(30 * 24);
// Mismatches in one message to who watches them. Of long ones fewer, about kBatchBytes: people write to them.
inline constexpr size_t kWatchedMismatches = 100;
// Rows that noting the visits of a commit adds to it at most: for each carer of each visit before and after, of
// kRosterChanges changes, eight of its mismatch and three of its entry.
inline constexpr size_t kRiderRows = kRosterChanges * 2 * kVisitAssignments * (8 + 3) + 100;

// ---- Proof of delivery

// How long it is kept of what devices showed, unless the tenant says otherwise: an invoice is questioned within a
// quarter. No shorter than a rostering system may be away and still be told; no longer than a year and its close.
inline constexpr absl::Duration kDeliveriesKept = absl::Hours(90 * 24);
inline constexpr absl::Duration kDeliveriesKeptLeast = absl::Hours(7 * 24);
inline constexpr absl::Duration kDeliveriesKeptMost = absl::Hours(400 * 24);
// Rows that one step of letting go looks at.
inline constexpr size_t kDeliveriesLetGo = 500;
// Steps follow each other so closely while a walk is under way; then the task rests for kDeliveriesWalked, asleep for
// no longer than kDeliveriesSleep at a time: a task may not lie further ahead.
inline constexpr absl::Duration kDeliveriesStepPause = absl::Seconds(1);
inline constexpr absl::Duration kDeliveriesWalked = absl::Hours(24);
inline constexpr absl::Duration kDeliveriesSleep = absl::Hours(1);
// How far ahead of now the moment may lie that a device's view is asked of: clocks that are kept by a time server
// differ by less.
inline constexpr absl::Duration kViewAhead = absl::Minutes(1);
// Marks that one commit tells the rostering system.
inline constexpr size_t kMarksTold = 500;

// How soon a change of the rota is to be seen, where its visit is so near, and where it is further ahead.
inline constexpr absl::Duration kNearVisit = absl::Hours(72);
inline constexpr absl::Duration kNearPromise = absl::Minutes(20);
inline constexpr absl::Duration kAheadPromise = absl::Hours(24);
// What the lag of a change is not: clocks that are kept by a time server differ by less; and a rota that is sent for
// the first time has changes of years ago.
inline constexpr absl::Duration kLagClockAhead = absl::Minutes(1);
inline constexpr absl::Duration kLagMost = absl::Hours(7 * 24);

// ---- The outbox

// Notices of one tenant that wait to be taken: as many as an agency has devices.
inline constexpr uint64_t kOutboxWaiting = 10'000;
// Those that were given up and are kept for people; the oldest go first.
inline constexpr uint64_t kDeadNotices = 1'000;
// How often one is tried. Between tries it pauses, twice as long each time: all together for about three hours, an
// outage of a morning.
inline constexpr uint32_t kNoticeTries = 16;
inline constexpr absl::Duration kNoticePause = absl::Seconds(1);
inline constexpr absl::Duration kNoticePauseMost = absl::Hours(1);
// Being sent at once, of one tenant and of all: those whose receivers hang leave room to the others, up to 32 of them.
// One that waits for an answer costs a socket, and some 50 KiB for TLS.
inline constexpr size_t kSendsOfTenant = 8;
inline constexpr size_t kSendsAtOnce = 256;
// Handed over and not begun; past it one is put off. In twice kSendTime all are done.
inline constexpr size_t kSendsQueued = 256;
inline constexpr absl::Duration kSendTime = absl::Seconds(10);
inline constexpr absl::Duration kSendConnectTime = absl::Seconds(5);
// Of an answer, of which the status alone is wanted.
inline constexpr size_t kSendAnswerBytes = 16 * 1024;
// After so long without a word one that was handed over is tried again: the server ended meanwhile. Longer than all
// that is queued can take.
inline constexpr absl::Duration kSendLease = absl::Minutes(2);
// E-mails are sent one after the other: as many as time out within the lease wait for it.
inline constexpr size_t kMailsQueued = 8;
inline constexpr size_t kWebhookUrlBytes = 2'048;
// Of the key that a webhook's secret stands for.
inline constexpr size_t kWebhookKeyBytesLeast = 24;
inline constexpr size_t kWebhookKeyBytesMost = 64;

// ---- Notifications

// Of one branch: six a day.
inline constexpr int kNotificationHours = 42;
// Of one branch: beyond, a distribution list.
inline constexpr int kNotificationAddresses = 20;
// What is raised within so long is told together.
inline constexpr absl::Duration kToldTogether = absl::Seconds(30);
// More of a branch at once are told as one: nobody reads so many messages.
inline constexpr size_t kMismatchesToldAlone = 10;
// After so many notices of a branch within an hour what is raised is held back, and told as one when the hour is over:
// an outage, or a rota that is published again, is a notice an hour and not hundreds.
inline constexpr uint32_t kNoticesInAnHour = 10;
inline constexpr absl::Duration kToldHour = absl::Hours(1);
// What starts so soon is told at once all the same: what is held back for an hour still leaves the office another.
inline constexpr absl::Duration kToldAtOnce = absl::Hours(2);
// Members that a notice of many mismatches names.
inline constexpr size_t kMismatchesNamed = 100;
// Raised mismatches and branches that one step looks at.
inline constexpr size_t kRaisedLookedAt = 1'024;
inline constexpr size_t kBranchesLookedAt = 32;
// A step ends when it has put so many notices in the outbox, as that of many branches with many addresses each: it has
// room for them even where it is nearly full.
inline constexpr size_t kNoticesPutAtOnce = 256;
// Mismatches that an e-mail of many lists, those that start first: a page or two to read on a phone.
inline constexpr size_t kMismatchesInMail = 50;
// How often it is looked how many devices are overdue, and devices that one step counts.
inline constexpr absl::Duration kOverdueLookEvery = absl::Minutes(10);
inline constexpr size_t kDevicesCounted = 256;
// Branches that are counted at once, in one row; what lies beyond is not.
inline constexpr int kBranchesCounted = 2'000;
// Their task sleeps no longer, whatever was set of hours, or of the time zone, when it went to sleep.
inline constexpr absl::Duration kNotificationsSleep = absl::Hours(1);

// ---- Searches

// Rows that one page of a search looks at: a page may hold less than was asked for, and says how to go on.
inline constexpr size_t kSearchedRows = 10'000;

// ---- The gRPC server

// Calls a connection may have open: a device needs one, a rostering system a few. Also bounds what one rapid reset
// costs.
inline constexpr int kStreamsPerConnection = 16;
// The headers of a call: a credential of kTokenBytes and what gRPC adds.
inline constexpr int kMetadataBytes = 8 * 1024;
// What a stream may have under way in HTTP/2: a batch; with more, a slow device's batches would pile up here.
inline constexpr int kStreamWindowBytes = 64 * 1024;
// Streams of reflection that are open at once hold a thread each, and anybody may open them: a person at a terminal
// needs one. One of them waits for the next.
inline constexpr int kReflectionThreads = 8;
// Memory of all connections together before gRPC stops reading more in.
inline constexpr size_t kConnectionsMemoryBytes = size_t{1024} * 1024 * 1024;
inline constexpr absl::Duration kHandshake = absl::Seconds(10);
// A connection without calls is closed after so long: phones leave without a word.
inline constexpr absl::Duration kConnectionIdle = absl::Minutes(10);
// The server pings a connection with open calls that was silent for so long, and closes it if no answer comes.
inline constexpr absl::Duration kKeepaliveEvery = absl::Seconds(60);
inline constexpr absl::Duration kKeepaliveAnswer = absl::Seconds(20);
// Clients may ping no more often than this; mobile networks drop idle connections after about half a minute at worst.
inline constexpr absl::Duration kPingsAtLeastApart = absl::Seconds(20);
// Calls of rostering systems and of people that are open at once, streams and others together.
inline constexpr size_t kOtherCalls = 4'096;
// Calls that end when the server goes away get so long to do so before they are cut.
inline constexpr absl::Duration kShutdownGrace = absl::Seconds(5);
// When to connect again to a server that goes away.
inline constexpr absl::Duration kReconnectAfter = absl::Seconds(5);
// Devices come back spread over so long: as many sessions as there may be, at a rate of handshakes that a core can do.
inline constexpr absl::Duration kReconnectSpread = absl::Seconds(60);
// Bytes of one piece of an exported file.
inline constexpr size_t kExportPieceBytes = 64 * 1024;
// Names of carers and branches, and standings of copies, that one report keeps at hand, each.
inline constexpr size_t kReportNames = 50'000;

}  // namespace caresync::base::limits

#endif  // CARESYNC_SERVER_BASE_LIMITS_H_
