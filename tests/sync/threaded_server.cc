#include "tests/sync/threaded_server.h"

#include <future>
#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "caresync/v1/tenants.pb.h"
#include "server/base/errors.h"
#include "server/base/uuid.h"
#include "server/commit/timeline.h"
#include "server/feed/feed_compaction.h"
#include "server/feed/feed_writer.h"
#include "server/mismatch/look_again.h"
#include "server/mismatch/looks.h"
#include "server/mismatch/visit_changes.h"
#include "server/records/fan_out.h"
#include "server/records/record_key.h"
#include "server/records/review_resolution.h"
#include "server/records/window.h"
#include "server/roster/apply_changes.h"
#include "server/roster/take_message.h"
#include "server/sync/asked_drops.h"
#include "server/sync/unrecorded_ends.h"
#include "server/tenants/tenants.h"
#include "tests/fakes/engine.h"

namespace caresync::sync {
namespace {

constexpr size_t kTokenKeyBytes = 32;
// Several batches a copy.
constexpr size_t kBatchBytes = 2'048;
constexpr commit::CommitRoom kRoom = {.moved = 16, .looked = 32, .scopes = 2};
constexpr AdmissionBounds kBounds = {.call_delay = absl::InfiniteDuration(), .copy_delay = absl::InfiniteDuration()};
// The two phones of one UUID are not what is looked at.
constexpr size_t kManyTakeOvers = 1'000'000;

}  // namespace

ThreadedServer::ThreadedServer(int threads)
    : tenant_(fakes::Tenant("agency")),
      sealer_(random_.Bytes(kTokenKeyBytes)),
      executor_(std::make_unique<base::ThreadExecutor>(threads)),
      timeline_(commit::NewTimeline(random_)),
      sequencer_(store_, clock_, random_, *executor_, subscriptions_, timeline_, kRoom),
      closing_edge_(clock_),
      tasks_(store_, sequencer_, clock_, *executor_),
      registry_(store_, clock_, *executor_),
      admission_(*executor_, random_, clock_, kBounds),
      parts_{.store = store_,
             .sequencer = sequencer_,
             .subscriptions = subscriptions_,
             .clock = clock_,
             .executor = *executor_,
             .random = random_,
             .sealer = sealer_,
             .live = live_,
             .admission = admission_,
             .memo = memo_,
             .lag = lag_,
             .opening = timeline_,
             .batch_bytes = kBatchBytes,
             .opened = clock_.Monotonic(),
             .most_take_overs = kManyTakeOvers},
      syncs_under_way_(SyncsOf(parts_)),
      heard_(subscriptions_.Subscribe(tenant_, records::FanOutTopic(), [this](base::Revision) { ++fan_outs_; })) {
  sequencer_.SetRider(mismatch::NotingVisitChanges(lag_));
  records::RegisterFanOuts(tasks_);
  roster::RegisterTasks(tasks_);
  tasks_.Register(records::kWindowTask, records::WindowStep(closing_edge_), commit::TaskWaiters::kSome);
  tasks_.Register(feed::kCompactionTask, feed::CompactionStep);
  tasks_.Register(records::kReviewTask, records::ReviewStep);
  tasks_.Register(mismatch::kLookTask, mismatch::LookStep(clock_, parts_.opened, syncs_under_way_));
  tasks_.Register(mismatch::kLookAgainTask, mismatch::LookAgainStep);
  ABSL_RAW_CHECK(tasks_.Start().ok(), "the tasks of the store cannot be read");
  const absl::Status made = Run([this](commit::Transaction& transaction) {
    v1::Tenant request;
    request.set_tenant_id(tenant_.text());
    return tenants::CreateTenant(transaction, request).status();
  });
  ABSL_RAW_CHECK(made.ok(), "a test's tenant cannot be made");
}

ThreadedServer::~ThreadedServer() {
  tasks_.Stop();
  sequencer_.WaitUntilIdle();
  executor_.reset();
}

std::unique_ptr<storage::Snapshot> ThreadedServer::Snapshot() const {
  absl::StatusOr<std::unique_ptr<storage::Snapshot>> snapshot = store_.NewSnapshot();
  ABSL_RAW_CHECK(snapshot.ok(), "the store in memory cannot be read");
  return *std::move(snapshot);
}

absl::Status ThreadedServer::Run(commit::Change change) {
  std::promise<absl::Status> promise;
  sequencer_.Submit(tenant_, std::move(change), [&promise](const absl::StatusOr<commit::Committed>& committed) {
    promise.set_value(committed.status());
  });
  return promise.get_future().get();
}

void ThreadedServer::Send(const std::string& source, std::vector<v1::RosterChange> changes) {
  v1::ApplyChangesRequest request;
  for (v1::RosterChange& change : changes) {
    change.set_source(source);
    *request.add_changes() = std::move(change);
  }
  const absl::Status sent = Run([&](commit::Transaction& transaction) {
    return roster::TakeMessage(transaction, {source, timeline_}, true, request).status();
  });
  ABSL_RAW_CHECK(sent.ok(), "a test's changes cannot be committed");
}

absl::Status ThreadedServer::Update(const v1::UpdateDeviceRequest& request) {
  absl::Status updated;
  do {
    std::promise<absl::Status> promise;
    registry_.Update(tenant_, request, [&promise](absl::Status status) { promise.set_value(std::move(status)); });
    updated = promise.get_future().get();
  } while (base::Reason(updated) == "COMMIT_CONFLICT");
  if (updated.ok()) TellDrops(parts_, tenant_, *base::Uuid::Parse(request.device_uuid()));
  return updated;
}

}  // namespace caresync::sync
