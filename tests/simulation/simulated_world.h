// One seed: a server, devices, rostering systems, a network that loses things and a store that fails, all moved by one
// random schedule.
#ifndef CARESYNC_TESTS_SIMULATION_SIMULATED_WORLD_H_
#define CARESYNC_TESTS_SIMULATION_SIMULATED_WORLD_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "caresync/v1/devices.pb.h"
#include "caresync/v1/mismatches.pb.h"
#include "caresync/v1/roster.pb.h"
#include "caresync/v1/tenants.pb.h"
#include "server/base/uuid.h"
#include "server/commit/sequencer.h"
#include "server/commit/transaction.h"
#include "storage/memory_store.h"
#include "storage/store.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/seeded_random.h"
#include "tests/fakes/test_device.h"
#include "tests/simulation/naive_reports.h"
#include "tests/simulation/naive_waits.h"
#include "tests/simulation/oracle.h"
#include "tests/simulation/rota_maker.h"
#include "tests/simulation/seed_place.h"
#include "tests/simulation/simulated_server.h"
#include "tests/simulation/simulated_stream.h"
#include "tests/simulation/sync_phase.h"

namespace caresync::simulation {

// How often each fault and transition came about.
using Counts = std::map<std::string, uint64_t>;

// Used by one thread. Everything that is random comes from the seed: the same seed gives the same trace.
class SimulatedWorld {
 public:
  // `counts` must outlive it and is added to. `echo`: each step is printed.
  SimulatedWorld(uint64_t seed, Counts& counts, bool echo);
  ~SimulatedWorld();

  // Takes `steps` steps, or fewer where a rule is broken; then ends all faults, lets every device sync, and compares
  // everything with the naive model. Returns the first rule that was broken; empty: none.
  std::string Run(int steps);

  // Over all that was committed and sent.
  uint64_t trace_hash() const { return trace_hash_; }

 private:
  struct Device {
    base::TenantId tenant;
    fakes::TestDevice app;
    std::vector<base::Uuid> carers;
    // Recorded while a sync is open: declared by the next one.
    std::map<base::Uuid, std::vector<v1::UploadedEvent>> offline;
    // Answered, and kept to be sent again.
    std::map<base::Uuid, std::vector<v1::UploadedEvent>> kept;
    // Somebody makes the app send all that it keeps.
    bool send_kept_again = false;
    // Whose copies in use are not what the server sent: a broken disk, a faulty app.
    std::set<base::Uuid> spoiled;
    // What each carer's last event was recorded on.
    std::map<base::Uuid, Name> recorded_on;
    // Whose copies are older than what the phone had acknowledged, until they are caught up.
    std::set<base::Uuid> put_back;
    // It has no network until then, by the monotonic clock.
    std::optional<absl::Duration> off_until;
  };
  // A rostering system: it sends one message at a time, again until it has an answer, and sends again what a restore
  // took back.
  struct Source {
    std::deque<v1::ApplyChangesRequest> to_send;
    bool in_flight = false;
    // How many of those at the front are sent again after a restore.
    size_t resending = 0;
    bool begins_stream = true;
    v1::CommitPoint last_commit;
    // What it was answered, in order.
    struct Answered {
      v1::CommitPoint commit;
      v1::ApplyChangesRequest request;
    };
    std::vector<Answered> answered;
  };
  // A source's reader of its care events.
  struct Reader {
    std::string token;
    std::map<std::string, std::string> events;
    bool restored = false;
  };
  // Somebody who watches a tenant's mismatches, and what was told last of each carer and visit.
  struct Watcher {
    std::string token;
    std::map<std::pair<std::string, std::string>, v1::Mismatch> told;
    bool restored = false;
  };
  struct TakenVisit {
    std::string source;
    std::string external_id;
    Name name;
  };
  struct Backup {
    std::unique_ptr<storage::MemoryStore> memory;
    Truth truth;
  };
  // Which device sends events of which carer.
  struct Sender {
    base::TenantId tenant;
    base::Uuid device;
    base::Uuid carer;
    auto operator<=>(const Sender&) const = default;
  };
  struct Answered {
    Sender sender;
    v1::UploadedEvent event;
  };
  // A change that a device in use has not acknowledged, and that is about to fall due.
  struct LookAhead {
    // By its place in `devices_`.
    size_t device = 0;
    base::Uuid carer;
    Name visit;
    absl::Time due;
  };
  struct Kind {
    const char* name;
    unsigned weight;
    void (SimulatedWorld::*take)();
  };

  size_t Below(size_t bound) { return random_() % bound; }
  bool OneIn(size_t bound) { return Below(bound) == 0; }
  void Count(std::string_view what) { ++counts_[std::string(what)]; }
  void Fail(const std::string& fault);
  // Adds to the trace; `what` is printed as well where steps are.
  void Trace(std::string_view what);
  // Prints it where steps are; the trace is the same whether they are or not.
  void Echo(std::string_view what);
  void Mix(std::string_view bytes);

  // Setting up.
  void AddTenant(const std::string& name);
  void AddDevice(const base::TenantId& tenant, const std::string& uuid,
                 const std::vector<std::pair<std::string, std::string>>& carers, size_t users);
  void Enrol(const Device& device, size_t users);
  void OpenServer(std::unique_ptr<storage::MemoryStore> memory);
  CommitWatches Watches();
  void OnApplied(const std::vector<storage::Write>& writes);
  // Whether it is an earlier one than the last that somebody asked for.
  bool IsLate(const storage::Commit& commit) const;
  // The store tries a commit; it is done with it.
  void OnTried(const storage::Commit& commit);
  void OnLateOutcome(const std::vector<storage::Write>& writes, storage::CommitOutcome outcome);
  // Counts the faults that commits have met, as they are answered.
  void OnAnswered(const std::vector<storage::Write>& writes, const storage::CommitResult& result);
  // Before a commit is tried: keeps what a power cut would leave, where one is to come.
  void KeepWhatIsFlushed(storage::Durability durability);
  // Cuts every stream and lets the server run to its end, unheard. All sessions must end.
  void RetireServer();

  // What a step may do.
  void Step();
  // A fault that waits for a sync in some phase comes, where there is one now; false: it does not.
  bool TakeAwaitedFault();
  void SendRota();
  void SendLateCarer();
  // What a device has got of a copy that it is making is taken away while the rest is still to come.
  void TakeFromNewCopy();
  // nullopt where none of the sources can take a visit away now that is in the copy.
  std::optional<TakenVisit> TakeVisitFrom(const base::TenantId& tenant, const base::Uuid& carer,
                                          const fakes::HeldRecords& copy);
  // A visit goes and comes back while a device gets batches.
  void TakeAndGiveBack();
  // False where there is none to take.
  bool TakeAndGiveBackIn(const SimulatedStream& stream);
  void SubmitRota(const base::TenantId& tenant, const std::string& source, v1::ApplyChangesRequest request);
  // Sends the next message that has no answer, if one is to be sent now.
  void SendNext(const base::TenantId& tenant, const std::string& source);
  void OnAnswer(Source& source, const v1::ApplyChangesRequest& request, const v1::ApplyChangesResponse& response);
  void SendAgainAfter(Source& source, const v1::CommitPoint& head);
  // The source says what it has seen, and sends until nothing is left; likewise all.
  void SettleSource(const base::TenantId& tenant, const std::string& name, Source& source);
  void SettleSources();
  void ReleaseRebuilds();
  // Judges that a device is told to wait after a restore, or that its copy is made anew.
  void JudgeWaiting(const StreamFacts& facts);
  void JudgeWaitsEnd(const StreamFacts& facts);
  // The shortest and the longest that the tenant let devices wait since the start.
  std::pair<absl::Duration, absl::Duration> WaitsSince(const StreamFacts& facts);
  void Predict(const base::TenantId& tenant, const v1::ApplyChangesRequest& request,
               const std::vector<v1::ChangeResult>& results, base::Revision revision);
  void RecordEvent();
  void StartSync();
  void UploadWhileFollowing();
  void TellNotice();
  // The credential of one that follows ends while nothing is in its way.
  void LetCredentialEnd();
  void MoveStream();
  void RunWork();
  void RunAllWork();
  void CutStream();
  void KillDevice();
  void SpoilCopy();
  void CloneDevice();
  void BackUpPhone();
  void PutPhoneBack();
  void ReinstallApp();
  void LoseNetworkForHours();
  void ForgetAnswersOf(const Device& device);
  void HalfCloseEarly();
  void CompactFeed();
  void FailCommits();
  void LandCommitLate();
  void HoldCommits();
  void FailReads();
  void BeQuicker();
  void PassTime();
  void JumpClock();
  void PassHours();
  void ChangeWindow();
  void SetAccess();
  void ChangeCarePlan();
  void ChangeDevice();
  // What makes its users other ones, as far as it has carers for that.
  v1::UpdateDeviceRequest HandOver(const Device& device);
  void ChangeLeastApp();
  void ChangeRestoreWait();
  void ChangeAutoSyncInterval();
  void ResolveEvent();
  void ReadCareEvents();
  void SendAgain();
  void SendOtherBytes();
  void LookAtMismatches();
  void WaitForLooks();
  void AckDuringLook();
  void MoveAndMoveBack();
  void Crash();
  void ShutDown();
  void StayDownForAWeek();
  void CutPower();
  // Nothing that anybody was told of is lost by a power cut which leaves that.
  void JudgePowerCut(const Truth& left);
  void TakeBackup();
  void Restore();

  // Parts of steps.
  // Somebody sets it.
  void SetClock(absl::Time now);
  // The server dies, and comes back on what was committed after so much time.
  void Restart(absl::Duration down);
  void CrashNow();
  // One in which a fault is to come.
  SyncPhase AnyPhase() { return static_cast<SyncPhase>(Below(kPhasesOfSyncs)); }
  bool IsAnySyncIn(SyncPhase phase) const;
  // Any of those whose streams are whole; nullptr: there is none.
  SimulatedStream* FindSyncIn(SyncPhase phase);
  // The fault meets every sync that is there.
  void CountPhases(const std::string& fault);
  // What others do comes before each of the next `times` snapshots that somebody asks for.
  void WorkBeforeSnapshots(size_t times);
  void SetRestoreWait(const base::TenantId& tenant);
  // A change by a person; `predict` makes the same of the state. `made`: called when it is known to be made.
  void SubmitOfOffice(const base::TenantId& tenant, const std::string& what, commit::Change change,
                      std::function<void(State&)> predict, std::function<void()> made = nullptr);
  // Likewise of the tenant itself; whoever is connected is told.
  void UpdateTenant(const std::string& what, const v1::UpdateTenantRequest& request,
                    std::function<void(State&)> predict);
  // A person's word on one that waits, or waited once; nullopt where there is none.
  std::optional<Ruling> MakeRuling(const base::TenantId& tenant);
  void SubmitRuling(const base::TenantId& tenant, const Ruling& ruling);
  std::set<std::string> SomeOf(const std::vector<std::string>& all);
  void DeleteCarePlan(const base::TenantId& tenant, const std::string& id);
  void ReplaceApp(Device& device);
  // What a message changed for carers, or of them.
  void CountChange(const base::TenantId& tenant, const Name& name, const State& before, const State& after);
  // Counts `what` for each of the carers of whom a device is making a new copy.
  void CountDuringNewCopy(const base::TenantId& tenant, std::string_view what, const std::set<std::string>& carers);
  // Likewise of whom a device follows.
  void CountWhileFollowing(const base::TenantId& tenant, std::string_view what, const std::set<std::string>& carers);
  v1::CareEvent MakeEvent(Device& device, const base::Uuid& carer);
  Name ChooseParent(Device& device, const base::Uuid& carer);
  void Declare(const base::TenantId& tenant, const base::Uuid& carer, const v1::UploadedEvent& event);
  // Readies what the app sends in its next sync.
  void Prepare(Device& device, const base::Uuid& carer);
  SimulatedStream& OpenStream(size_t device, const base::Uuid& carer, v1::SyncType type, bool follow,
                              absl::Time credential_end = absl::InfiniteFuture());
  // Some end within minutes.
  absl::Time AnyCredentialEnd();
  void NoteWorkInProgress(v1::Start& start);
  bool HasOpenStream(size_t device) const;
  // It has no network for hours.
  bool IsOff(const Device& device) const;
  bool HasUnsent(Device& device, const base::Uuid& carer);
  // Which device is next to sync: where there are two phones with one UUID, mostly one of them.
  size_t ChooseCaller();
  base::Uuid ChooseCarer(const Device& device);
  bool IsOfPair(const Device& device) const;
  void CutAtRandom(SimulatedStream& stream);
  void ForgetRemovals(const base::TenantId& tenant, const base::ReceiverId& receiver, const feed::Position& up_to,
                      size_t most);
  // One thing that can happen on the stream now; false where there is none.
  bool MoveOne(SimulatedStream& stream, bool faults);
  void ReceiveAtDevice(SimulatedStream& stream, bool faults);
  void SayAck(SimulatedStream& stream, v1::SyncRequest ack, bool faults);
  void SayUploadAgain(SimulatedStream& stream, std::vector<v1::SyncRequest> uploads);
  // What the device holds once it has applied a `caught_up`.
  void JudgeCaughtUp(Device& device, const StreamFacts& facts, const Delivery& delivery);
  void CountMessage(const StreamFacts& facts, const v1::SyncResponse& response);
  // The app has been told that its sync is recorded; `ack` is what it could still answer.
  void OnRecordedAtDevice(SimulatedStream& stream, std::optional<v1::SyncRequest> ack, bool faults);
  void TakeResults(Device& device, const base::Uuid& carer, const v1::UploadResult& result, const v1::Upload& upload);
  void OnTaken(StreamFacts& facts, const v1::SyncRequest& request);
  void OnAck(StreamFacts& facts, const v1::Ack& ack);
  std::shared_ptr<const View> OnSend(StreamFacts& facts, const v1::SyncResponse& response);
  // Whether a device's next start shows that the store was put back.
  bool ShowsALoss(const Device& device) const;
  // Where the server has nothing left to do, each session that is there waits for somebody.
  void CheckStalls();
  // Those that wait for nobody.
  std::set<std::string> StalledSessions() const;
  bool IsStalled(const SimulatedStream& stream) const;
  // The device's word, an end of fan-outs, or anything new.
  static bool AwaitsDevice(const StreamFacts& facts);
  bool AwaitsFanOuts(const StreamFacts& facts) const;
  bool AwaitsChanges(const StreamFacts& facts) const;
  const State& HeadOf(const base::TenantId& tenant) const { return oracle_.truth().models.at(tenant).head(); }
  // Who is connected knows what the tenant wants, and that a credential is about to end, and nobody's is over; where
  // the server has nothing left to do.
  void CheckConnected();
  void CheckCredential(const StreamFacts& facts);
  // A follower that owes nothing is sent away: it has synced.
  void JudgeSentAway(const StreamFacts& facts, const std::string& reason);
  bool OwesNothing(const StreamFacts& facts);
  // A carer is refused whom the store does not know.
  void JudgeUnknownCarer(const StreamFacts& facts);
  // The window's opening edge is behind its time, or part of the window is worked out anew.
  bool WindowLags(const base::TenantId& tenant) const;
  // Mismatches, as people see them (world_mismatches.cc).
  std::vector<v1::Mismatch> ReadMismatches(const base::TenantId& tenant, v1::ListMismatchesRequest request);
  ListedMismatches ListMismatches(const base::TenantId& tenant);
  // What a commit has made of them.
  void TakeMismatches(const std::vector<storage::Write>& writes);
  void CompareFilters(const base::TenantId& tenant, const std::vector<v1::Mismatch>& open);
  // What watchers were told is what is listed (world_watching.cc).
  void CompareWatcher(const base::TenantId& tenant, const ListedMismatches& listed);
  void ReadOn(const base::TenantId& tenant, Watcher& watcher);
  // What people are told in words has the times of the tenant's clocks.
  void JudgeWords(const base::TenantId& tenant, const v1::DeviceUser& user);
  void CountClockChange(const v1::Mismatch& shown);
  void CountOff(const base::TenantId& tenant, const v1::Mismatch& shown);
  std::optional<LookAhead> FindLookAhead();
  // False where the carer has no visit there that can be moved.
  bool MoveAndMoveBackOn(size_t device, const base::Uuid& carer);
  // nullopt where none is wanted of a source that has nothing else to send.
  std::optional<TakenVisit> SendMove(const base::TenantId& tenant, const RotaMaker::IsWanted& is_wanted,
                                     absl::Duration by);
  // What devices showed, by what they held themselves (world_deliveries.cc); of all that is kept, or of a part.
  void NoteApplied(SimulatedStream& stream, const v1::SyncResponse& response);
  void CompareViews(bool all);
  void CompareView(const storage::Reader& reader, const Truth::Copy& of, const KeptCopy& kept, absl::Time time);
  void CompareLastViews();
  void CompareLastDeliveries();
  void CompareDeliveries(const storage::Reader& reader, const Device& device, const base::Uuid& carer);
  // What the oracle asks: see Oracle::World.
  StreamFacts* SessionOf(const std::string& session_id);
  // Of one that has ended, too.
  StreamFacts* FactsOf(const std::string& session_id);
  bool MayHaveShown(absl::Time time, const Moment& since) const;
  absl::Time LatestShown(const Moment& since) const;
  bool MayHaveCalled(const base::TenantId& tenant, const base::Uuid& device, absl::Time time) const;
  Moment NowMoment() const { return {clock_.Now(), jumps_.size()}; }
  void Reap();
  std::string WhyRefused(const Device& device, const base::Uuid& carer) const;
  void ReadOne(const base::TenantId& tenant, const std::string& source, Reader& reader);

  // The end.
  void Quieten();
  // Copies that were spoiled are found out, and made anew.
  void HealCopies();
  // Every device follows while rotas change and time passes.
  void FollowAll();
  void MakeFollowersMissRemovals();
  void CheckFollowers(std::vector<SimulatedStream*>& followers);
  void CheckConfirmations(std::vector<SimulatedStream*>& followers);
  // How often those confirm who follow.
  static absl::Duration ConfirmIntervalOf(const State& state);
  // Until nothing is under way, without a fault.
  void MoveAll();
  void MoveStreams();
  void SyncAll(int round);
  void SyncToTheEnd(size_t device, const base::Uuid& carer, bool nothing_new);
  // Whoever was refused may sync again: what only waited on a device comes then.
  void GiveAllBack();
  void CompareDevices();
  // Nothing is left of fan-outs, and every group has the members that its source says.
  void CompareGroups();
  void CompareEvents();
  void CompareReaders();
  // The report and the histories with the model, at any moment.
  void CompareReports();
  void CompareReport(const storage::Reader& reader, const base::TenantId& tenant);
  void CompareHistories(const storage::Reader& reader, const base::TenantId& tenant);
  // What follows from the report for those who read it.
  void JudgeRow(const base::TenantId& tenant, const v1::Device& row);
  void CountInterval(const base::TenantId& tenant, const v1::DeviceUser& user);
  void JudgeCurrent(const Device& device, const std::string& carer);
  // What the devices' acks of now have come to; where the server has nothing left to do.
  void CheckAcksTaken();
  // The devices that the tenant's office sees: two phones with one UUID are one.
  std::vector<base::Uuid> UuidsOf(const base::TenantId& tenant) const;
  ReportMoment MomentOfReport(const base::TenantId& tenant);
  // At the end of a seed.
  void CompareLastReports();
  void CompareSources();
  void EndMismatches();
  void PlanVisits();
  void LookForMissed();
  void SyncSome();
  // As Oracle::CheckNoneLeft, of all tenants.
  void CheckNoneLeft(bool swept);

  const bool echo_;
  Counts& counts_;
  std::mt19937_64 random_;
  const uint64_t seed_;
  uint64_t servers_ = 0;
  std::string fault_;
  uint64_t trace_hash_ = 14695981039346656037u;
  uint64_t step_ = 0;
  // In some seeds a carer with a device comes at that step, if not before; 0: never.
  uint64_t late_comes_ = 0;

  const SeedPlace place_;
  fakes::ManualClock clock_;
  fakes::SeededRandom ids_;
  RotaMaker rota_;
  Oracle oracle_;
  std::vector<base::TenantId> tenants_;
  // The last one may be a second phone with the UUID of another.
  std::vector<Device> devices_;
  // By their places in `devices_`.
  std::map<size_t, Device> phone_backups_;
  // The phone whose UUID has a second one.
  std::optional<size_t> cloned_;
  std::map<std::pair<base::TenantId, std::string>, Reader> readers_;
  std::map<base::TenantId, Watcher> watchers_;
  std::map<std::pair<base::TenantId, std::string>, Source> sources_;
  std::vector<Backup> backups_;
  // The server dies as soon as a sync is so far.
  std::optional<SyncPhase> crash_at_;
  // Likewise the power goes, where it would take anything.
  std::optional<SyncPhase> power_cut_at_;
  // The power is about to go; what it would leave, where that is not all.
  bool power_at_risk_ = false;
  std::optional<Backup> unflushed_;
  std::vector<Answered> answered_;
  // The last commit that somebody asked for; whether the one that the store has is an earlier one, which comes late.
  std::vector<storage::Write> asked_;
  bool is_late_ = false;
  // By tenant: revisions of commits that came late. Where its change was given up nobody is told of them.
  std::map<base::TenantId, std::set<base::Revision>> untold_;
  // A tenant's changes by their numbers: the last that was asked for, and the last of which the connected were told.
  struct Preferences {
    uint64_t asked = 0;
    uint64_t told = 0;
  };
  std::map<base::TenantId, Preferences> preferences_;
  size_t batch_bytes_ = 0;
  // The latest that the clock has shown.
  absl::Time latest_;
  // What it showed before and after each time.
  std::vector<std::pair<absl::Time, absl::Time>> jumps_;
  // By the monotonic clock: the last time that the store's times and the clock's may have parted; when the server
  // began.
  absl::Duration last_jump_ = -absl::InfiniteDuration();
  absl::Duration server_opened_;
  NaiveWaits waits_{RotaMaker::Sources().size()};
  bool retiring_ = false;
  std::vector<std::unique_ptr<SimulatedStream>> streams_;
  // Those that are done: what a session wrote last may come behind its end.
  std::vector<std::unique_ptr<SimulatedStream>> gone_;
  uint64_t arrivals_ = 0;
  // By device: the last of its streams, by the order in which they were opened, that has said `start`.
  std::map<std::pair<base::TenantId, base::Uuid>, uint64_t> last_start_;
  std::unique_ptr<SimulatedServer> server_;
};

}  // namespace caresync::simulation

#endif  // CARESYNC_TESTS_SIMULATION_SIMULATED_WORLD_H_
