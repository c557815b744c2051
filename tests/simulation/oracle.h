// Judges all that the server commits and sends against the naive model.
#ifndef CARESYNC_TESTS_SIMULATION_ORACLE_H_
#define CARESYNC_TESTS_SIMULATION_ORACLE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "caresync/store/stored.pb.h"
#include "caresync/v1/mismatches.pb.h"
#include "server/base/sealed_token.h"
#include "storage/store.h"
#include "tests/simulation/held_copies.h"
#include "tests/simulation/naive_mismatches.h"
#include "tests/simulation/naive_model.h"
#include "tests/simulation/naive_reports.h"
#include "tests/simulation/naive_take_overs.h"
#include "tests/simulation/observed_feeds.h"
#include "tests/simulation/permissions.h"
#include "tests/simulation/simulated_stream.h"

namespace caresync::simulation {

// What the oracle takes for true; a copy goes with a copy of the store.
struct Truth {
  // A carer's copy on a device.
  using Copy = std::tuple<base::TenantId, base::Uuid, std::string>;
  std::map<base::TenantId, NaiveModel> models;
  std::map<std::pair<base::TenantId, base::Uuid>, NaiveDevice> devices;
  // By device row's key: when its streams took each other over.
  std::map<std::string, NaiveTakeOvers> take_overs;
  // By device row's key: the report as it was last written.
  std::map<std::string, store::DeviceReport> reports;
  // Copies whose device said another count and sum than it was told, and that are not known to be right since.
  std::set<Copy> diverged;
  Permissions permissions;
  // By carer: the device on which the carer signed in last.
  std::map<std::pair<base::TenantId, std::string>, base::Uuid> in_use;
  std::map<base::TenantId, NaiveMismatches> mismatches;
  // What devices have held of their carers, by their own word.
  std::map<Copy, HeldCopies> held;
};

// The office's two lists of a tenant's mismatches, whole, and when they were read.
struct ListedMismatches {
  std::vector<v1::Mismatch> open;
  std::vector<v1::Mismatch> resolved;
  absl::Time now;
  // For how long the server has been there.
  absl::Duration up;
  // Right after a commit that wrote into one of them; else nothing can be new.
  bool after_commit = false;
};

// Whether a sync that so begins is a clean one that may not be.
bool WouldLoseWork(const v1::Start& start);
// Whether that is what the tenant then wants of its devices.
bool IsPolicyOf(const v1::Policy& policy, const State& state);
// Whether the device's next auto sync, if it has one, lies ahead of the server's clock, and by an interval at most.
bool SyncsInTime(const v1::Started& started);

// Used by one thread. It learns of commits by the rows they write: that one took effect, and at which revision; what
// it must have done is worked out here.
class Oracle {
 public:
  using OnFault = std::function<void(const std::string&)>;
  // What the oracle asks of the world around it.
  struct World {
    // The stream of a session, which may have ended: what it writes last may wait for something else to be written
    // first. nullptr: there is none.
    std::function<StreamFacts*(const std::string& session_id)> session;
    // Whether the clock showed `time` at some moment since.
    std::function<bool(absl::Time time, const Moment& since)> may_have_shown;
    // The latest that the clock has shown since.
    std::function<absl::Time(const Moment& since)> latest_shown;
    // Whether a stream of the device that has not ended was open when the clock showed `time`.
    std::function<bool(const base::TenantId&, const base::Uuid& device, absl::Time time)> may_have_called;
    // Whether a stream of the device that was opened later has said `start`.
    std::function<bool(const StreamFacts&)> later_start;
    // What the clock shows.
    std::function<absl::Time()> now;
  };
  // Told of what only the commits show.
  using OnCount = std::function<void(const std::string&)>;

  Oracle(OnFault on_fault, World world, OnCount on_count)
      : on_fault_(on_fault), world_(std::move(world)), on_count_(std::move(on_count)), feeds_(std::move(on_fault)) {}

  // Before anything happens to them.
  void AddTenant(const base::TenantId& tenant, const std::vector<std::string>& carers,
                 const std::string& time_zone = "UTC");
  void AddDevice(const base::TenantId& tenant, const base::Uuid& device);
  void AddEvent(const base::TenantId& tenant, const SentEvent& event);

  NaiveModel& model(const base::TenantId& tenant) { return truth_.models.at(tenant); }
  const Truth& truth() const { return truth_; }
  void GoBackTo(const Truth& truth);
  // What devices have said since is lost.
  void NoteLoss();

  // A change of the tenant has run: the commit that is handed over next makes `state`, whenever it takes effect.
  void Propose(const base::TenantId& tenant, State state);
  // Likewise, for a person's word on an event for review.
  void ProposeRuling(const base::TenantId& tenant, const Ruling& ruling);
  // The change is done: what was proposed and not handed over never will be. What was handed over may yet take effect.
  void Withdraw(const base::TenantId& tenant);

  // A commit goes to the store, and may take effect at once, late or never.
  void OnHandedOver(const std::vector<storage::Write>& writes);
  void OnApplied(const std::vector<storage::Write>& writes);

  // Whether the device held, when it said `start`, all that its carer may see at some revision since then: such a start
  // is the ack of an empty sync; of the first round only.
  bool HeldAll(const StreamFacts& facts) const;

  // Why the carer's download on the device is refused now, whatever its app, as a reason of the errors; empty: it is
  // not.
  std::string WhyRefused(const base::TenantId& tenant, const base::Uuid& device, const std::string& carer) const;
  // Judges a tenant's mismatches, as people see them, and takes over which of them are open.
  void OnMismatches(const base::TenantId& tenant, const ListedMismatches& listed);
  // Those that must be open are, where the server has looked at all that was due `slack` ago.
  void CheckNoneMissed(const base::TenantId& tenant, absl::Time now, absl::Duration slack);
  // None is open that was settled by what a device said. `swept`: the server has started since, and has looked at all:
  // none is open that is settled in whatever way. The server has nothing left to do, and the store no faults.
  void CheckNoneLeft(const base::TenantId& tenant, bool swept);
  // How many commits have taken effect.
  uint64_t applied() const { return applied_; }
  std::optional<base::Uuid> DeviceInUse(const base::TenantId& tenant, const std::string& carer) const;
  // As IsSettled (naive_mismatches.h), by the device in use.
  Known HasSettled(const base::TenantId& tenant, const std::string& carer, const Name& visit) const;

  // Judges how a session ended: it was refused, or cut off, for a reason that there was.
  void CheckEnd(const StreamFacts& facts, const absl::Status& end);

  // The server got another count and sum than it had sent.
  void OnDivergence(StreamFacts& facts);

  // Judges a message as it is sent. Returns what the device must hold once it has applied a `caught_up` in it.
  std::shared_ptr<const View> OnSend(StreamFacts& facts, const v1::SyncResponse& response,
                                     const base::TokenSealer& sealer, size_t batch_bytes);

 private:
  using Rows = std::map<std::string, std::optional<std::string>>;
  struct KnownEvent {
    base::TenantId tenant;
    SentEvent event;
  };

  // What a change makes: one of them, or neither where only its rows can say.
  struct Proposal {
    std::optional<State> state;
    std::optional<Ruling> ruling;
    // How many commits had taken effect when it was handed over.
    uint64_t applied_before = 0;
  };

  // The tenants whose head is among the rows, and those heads.
  std::vector<std::pair<base::TenantId, store::TenantHead>> HeadsIn(const Rows& rows);
  void OnTenantCommit(NaiveModel& model, const store::TenantHead& head, const Rows& rows);
  // What the commit was handed over as; empty where nothing is known of it.
  Proposal TakeProposal(const base::TenantId& tenant, const std::string& commit_id);
  State StateAfter(const NaiveModel& model, const Rows& rows, const std::optional<Ruling>& ruling);
  void TakeEvents(const NaiveModel& model, const Rows& rows, const std::optional<Ruling>& ruling, State& state);
  void TakeResolutions(const NaiveModel& model, const Rows& rows, const std::optional<Ruling>& ruling, State& state);
  void TakeKept(const NaiveModel& model, const Rows& rows, State& state);
  void TakeIdentities(const NaiveModel& model, const Rows& rows, State& state);
  void CheckAccepted(const NaiveModel& model, const SentEvent& event, const State& state);
  void CheckForReview(const NaiveModel& model, const SentEvent& event, const State& state);
  void TakeEdges(const NaiveModel& model, const Rows& rows, State& state);
  void TakeHorizons(const NaiveModel& model, const Rows& rows, State& state);
  // Of a device, as far as `rows` say anything of it; before its report and its row are taken.
  void CheckTakeOvers(const std::string& report_key, const base::TenantId& tenant, const base::Uuid& device,
                      const Rows& rows);
  void CheckReports(const Rows& rows);
  void CheckDivergenceRebuilds(const store::DeviceReport& before, const store::DeviceReport& report);
  static Truth::Copy CopyOf(const StreamFacts& facts) {
    return {facts.identity.tenant, facts.identity.device, facts.carer};
  }
  void TakeDevices(const Rows& rows);
  // What sessions write of their devices: after TakeDevices.
  void TakeReports(const Rows& rows);
  void TakeEnrolment(const base::TenantId& tenant, const base::Uuid& device, const Rows& rows);
  void TakeRefusedCall(const base::TenantId& tenant, const base::Uuid& device, const store::DeviceCall& call);
  void TakeReport(const base::TenantId& tenant, const base::Uuid& device, const store::DeviceReport& report,
                  const Rows& rows);
  void TakeBegin(const base::TenantId& tenant, const base::Uuid& device, const std::string& session_id,
                 const Rows& rows);
  // A carer's device in use is written by a sync of it alone, as it begins.
  void CheckSignIns(const Rows& rows);
  // Whether the commit takes an event of the carer that was not known.
  bool TakesEventOf(const base::TenantId& tenant, const std::string& carer, const Rows& rows) const;
  void UseDevice(const base::TenantId& tenant, const std::string& carer, const base::Uuid& device);
  void TakeSignIn(const StreamFacts& facts, const store::SyncRow& row, const Rows& rows);
  static void TakeWordsOfStart(const StreamFacts& facts, const store::SyncRow& row, NaiveDevice& known);
  void TakeCopies(const StreamFacts& facts, const store::DeviceReport& report, bool begins, const store::SyncRow& row,
                  NaiveDevice& known);
  void CheckStartIsAck(const StreamFacts& facts, const store::SyncRow& row, const NaiveDevice& known);
  // Whether the device has said that its copy is so far, as its start (`begins`) or an ack.
  bool MayStandAt(const StreamFacts& facts, const base::CommitPoint& cursor, const feed::Position& position,
                  bool begins, const store::SyncRow& row) const;
  void TakeOutcome(StreamFacts& facts, const store::DeviceReport& report, bool begins, const store::SyncRow& row,
                   NaiveDevice& known);
  void CheckRecordedEnd(const StreamFacts& facts, const absl::Status& end);

  // The proof of delivery (oracle_deliveries.cc): an entry for each visit that the commit moves in a carer's feed, and
  // none beside.
  void CheckEntries(const base::TenantId& tenant, const State& state, const Rows& rows);
  void CheckEntry(const State& state, const Name& visit, const FeedItem& item, const std::optional<std::string>& row);
  // What a device says that it holds: after TakeCopies.
  void TakeHeld(const StreamFacts& facts, const store::DeviceReport& report, bool begins, const store::SyncRow& row,
                const Rows& rows);
  void TakeMarks(const StreamFacts& facts, const Rows& rows);
  HeardCopy HeardOf(const StreamFacts& facts, const store::DeviceCopy& copy, bool begins,
                    const store::SyncRow& row) const;
  HeardCopy::What TakeStart(const StreamFacts& facts, const store::SyncRow& row, HeardCopy& heard) const;
  static HeardCopy::What TakeAck(const StreamFacts& facts, HeardCopy& heard);

  NaiveMismatches::CopyInUse CopiesInUse(const base::TenantId& tenant) const;
  NaiveMismatches::WasSent SentInUse(const base::TenantId& tenant) const;
  // Of a batch that was read at `head`.
  void NoteSent(const StreamFacts& facts, const v1::Changes& changes, base::Revision head);
  // Before a commit takes effect: what has come with time since the last.
  void LookAtMismatches();
  // After it, of the tenants whose rows it wrote.
  void LookAtMismatches(const Rows& rows, bool by_device);
  void TakeOpened(const base::TenantId& tenant, const NaiveMismatches::Of& of, const v1::Mismatch& shown,
                  const ListedMismatches& listed, NaiveMismatch& row);
  // `resolved`: as it is listed among those; nullptr: it is not.
  void TakeResolved(const base::TenantId& tenant, const v1::Mismatch* resolved, const ListedMismatches& listed,
                    NaiveMismatch& row);
  void CheckShown(const base::TenantId& tenant, const v1::Mismatch& shown, const NaiveMismatch& row, absl::Time now);
  void CheckStage(const v1::Mismatch& shown, absl::Time now);
  void CheckOrder(const ListedMismatches& listed);

  void CheckStartBelieved(const StreamFacts& facts);
  void CheckCutOff(const StreamFacts& facts, const std::string& reason);
  void CheckRefusal(const StreamFacts& facts, const std::string& reason);

  void CheckTold(StreamFacts& facts, const v1::SyncResponse& response);
  void CheckPolicy(StreamFacts& facts, const v1::Policy& policy);
  void CheckCredentialNotice(StreamFacts& facts, const v1::Notice& notice);
  void CheckGoingAway(StreamFacts& facts, const v1::GoingAway& going_away);

  void CheckResults(StreamFacts& facts, const v1::UploadResult& result);
  void CheckRebuild(StreamFacts& facts, const v1::Rebuild& rebuild);
  void CheckChanges(StreamFacts& facts, const v1::Changes& changes, const base::TokenSealer& sealer,
                    size_t batch_bytes);
  void CheckNextVisits(StreamFacts& facts, const v1::Changes& changes, const sync::ResumeToken& token,
                       size_t batch_bytes);
  void CheckUpserts(const StreamFacts& facts, const v1::Changes& changes, const sync::ResumeToken& token);
  void CheckRemovals(const StreamFacts& facts, const v1::Changes& changes, const sync::ResumeToken& token);
  void CheckNoRemovalLeft(const StreamFacts& facts, const v1::Changes& changes, const sync::ResumeToken& token);
  std::shared_ptr<const View> CheckCaughtUp(StreamFacts& facts, const v1::CaughtUp& caught_up,
                                            const base::TokenSealer& sealer);
  void CheckRecorded(StreamFacts& facts);
  // A download that may go on: of a user, with an app that is new enough, from a feed that says what the carer may see.
  void CheckPermitted(const StreamFacts& facts, const base::CommitPoint& head);
  bool AppWasTooOld(const StreamFacts& facts) const;
  // Whether the carer had left at some time since the start.
  bool HadLeft(const StreamFacts& facts) const;
  // Whether there was no such carer at some time since the start.
  bool WasUnknown(const StreamFacts& facts) const;
  // The token of a batch or `caught_up`, checked for what both have in common.
  std::optional<sync::ResumeToken> OpenIssued(const StreamFacts& facts, const std::string& sealed, uint64_t number,
                                              const base::TokenSealer& sealer);

  void Expect(bool holds, const std::string& fault) {
    if (!holds) on_fault_(fault);
  }

  const OnFault on_fault_;
  const World world_;
  const OnCount on_count_;
  Truth truth_;
  ObservedFeeds feeds_;
  // How many commits have taken effect.
  uint64_t applied_ = 0;
  // By carer and device: how many had when another device came into use.
  std::map<std::tuple<base::TenantId, std::string, base::Uuid>, uint64_t> left_use_;
  // By a carer's copy on a device, and by visit: at which revisions the feed was read from which something of it was
  // sent. What is lost with a state of the store was sent all the same, at the latest at what was put back.
  std::map<Truth::Copy, std::map<Name, std::set<base::Revision>>> sent_;
  // What the clock showed when all mismatches were looked at last.
  absl::Time looked_at_ = absl::InfinitePast();
  // Of changes that have run and whose commits are not handed over yet.
  std::map<base::TenantId, Proposal> proposed_;
  // By the commit's ID: a change whose outcome stayed unknown may take effect while another one is at work.
  std::map<base::TenantId, std::map<std::string, Proposal>> handed_over_;
  std::map<std::string, base::TenantId> head_keys_;
  std::map<std::string, std::pair<base::TenantId, base::Uuid>> report_keys_;
  std::map<std::string, std::pair<base::TenantId, base::Uuid>> device_keys_;
  // By the key of the row that says which device a carer uses: the tenant and the carer.
  std::map<std::string, std::pair<base::TenantId, std::string>> in_use_keys_;
  // By the key of an event's identity; by that of its place among what is for review.
  std::map<std::string, std::vector<KnownEvent>> events_;
  std::map<std::string, KnownEvent> review_keys_;
};

}  // namespace caresync::simulation

#endif  // CARESYNC_TESTS_SIMULATION_ORACLE_H_
