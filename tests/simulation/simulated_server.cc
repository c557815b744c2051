#include "tests/simulation/simulated_server.h"

#include <optional>
#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/commit/timeline.h"
#include "server/deliveries/entries.h"
#include "server/deliveries/keeping.h"
#include "server/feed/feed_compaction.h"
#include "server/feed/feed_writer.h"
#include "server/mismatch/look_again.h"
#include "server/mismatch/looks.h"
#include "server/mismatch/mismatch_rows.h"
#include "server/mismatch/visit_changes.h"
#include "server/records/fan_out.h"
#include "server/records/review_resolution.h"
#include "server/records/window.h"
#include "server/roster/apply_changes.h"
#include "server/sync/asked_drops.h"
#include "server/sync/unrecorded_ends.h"
#include "tests/simulation/naive_take_overs.h"

namespace caresync::simulation {
namespace {

// Room for what some sessions read.
constexpr size_t kSmallMemo = 4 * 1024;

}  // namespace

SimulatedServer::SimulatedServer(std::unique_ptr<storage::MemoryStore> memory, fakes::ManualClock& clock, uint64_t seed,
                                 size_t batch_bytes, const commit::CommitRoom& room, CommitWatches watches)
    : memory_(std::move(memory)),
      observed_(*memory_, std::move(watches.of_store)),
      late_(observed_, std::move(watches.comes_behind)),
      store_(late_),
      of_callers_(store_, std::move(watches.of_callers)),
      of_sequencer_(of_callers_, std::move(watches.of_sequencer)),
      executor_(clock, seed),
      random_(seed),
      opening_(commit::NewTimeline(random_)),
      lag_(clock),
      sequencer_(of_sequencer_, clock, random_, executor_, subscriptions_, opening_, room),
      closing_edge_(clock),
      tasks_(of_callers_, sequencer_, clock, executor_),
      registry_(of_callers_, clock, executor_),
      // Every server of a seed has the store's key, which copies of the store share.
      sealer_(std::string(32, 'k')),
      admission_(executor_, random_, clock),
      // Of some servers it holds all that is read, of others it begins anew again and again.
      memo_(random_.Bytes(1)[0] % 2 == 0 ? base::limits::kHeadMemoBytes : kSmallMemo),
      parts_{of_callers_,    sequencer_, subscriptions_, clock, executor_, random_,     sealer_,
             live_,          admission_, memo_,          lag_,  opening_,  batch_bytes, clock.Monotonic(),
             kMostTakeOvers, &teller_},
      syncs_under_way_(sync::SyncsOf(parts_)) {
  sequencer_.SetRider([note = mismatch::NotingVisitChanges(lag_)](commit::Transaction& transaction) -> absl::Status {
    RETURN_IF_ERROR(note(transaction));
    return deliveries::NoteVisitEntries(transaction);
  });
  RegisterTasks(clock);
  ABSL_RAW_CHECK(tasks_.Start().ok(), "the tasks of the store cannot be read");
  const absl::StatusOr<std::unique_ptr<storage::Snapshot>> snapshot = memory_->NewSnapshot();
  ABSL_RAW_CHECK(snapshot.ok() && mismatch::SweepAtStart(**snapshot, sequencer_).ok(),
                 "the open mismatches of the store cannot be read");
  ABSL_RAW_CHECK(teller_.TellAtStart(**snapshot).ok(), "the marks of the store cannot be read");
}

void SimulatedServer::RegisterTasks(const base::Clock& clock) {
  records::RegisterFanOuts(tasks_);
  tasks_.Register(feed::kCompactionTask, feed::CompactionStep);
  tasks_.Register(records::kWindowTask, records::WindowStep(closing_edge_), commit::TaskWaiters::kSome);
  tasks_.Register(records::kReviewTask, records::ReviewStep);
  tasks_.Register(mismatch::kLookAgainTask, mismatch::LookAgainStep);
  tasks_.Register(deliveries::kKeepTask, deliveries::KeepStep);
  roster::RegisterTasks(tasks_);
  tasks_.Register(mismatch::kLookTask, [this, look = mismatch::LookStep(clock, parts_.opened, syncs_under_way_)](
                                           commit::Transaction& transaction, const std::string& payload) {
    const absl::Status looked = look(transaction, payload);
    // Taken out: what happens meanwhile may be another tenant's look.
    InLook meanwhile = std::exchange(in_look_, nullptr);
    if (meanwhile && !meanwhile(transaction.tenant())) in_look_ = std::move(meanwhile);
    return looked;
  });
}

SimulatedServer::~SimulatedServer() {
  tasks_.Stop();
  executor_.RunAll();
}

void SimulatedServer::UpdateDevice(const base::TenantId& tenant, const v1::UpdateDeviceRequest& request,
                                   std::function<void(absl::Status)> done) {
  const std::optional<base::Uuid> device = base::Uuid::Parse(request.device_uuid());
  registry_.Update(tenant, request, [this, tenant, device, done = std::move(done)](const absl::Status& updated) {
    if (updated.ok()) executor_.Post([this, tenant, device] { sync::TellDrops(parts_, tenant, *device); });
    done(updated);
  });
}

void SimulatedServer::TellPreferences(const base::TenantId& tenant) {
  executor_.Post([this, tenant] { live_.TellTenant(tenant, sync::PreferencesChanged{}); });
}

void SimulatedServer::RunOut() {
  observed_.StopTelling();
  of_callers_.StopTelling();
  of_sequencer_.StopTelling();
  late_.StopKeeping();
  tasks_.Stop();
  in_look_ = nullptr;
  store_.FailReads(false);
  store_.BeforeNextSnapshot(nullptr);
  store_.HoldBackDone(false);
  store_.ReleaseAll();
  // Reads that failed while a commit's outcome was unknown are tried again after a pause.
  executor_.Advance(2 * base::limits::kSettlePause);
}

}  // namespace caresync::simulation
