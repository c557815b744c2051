#include "tests/fakes/engine.h"

#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "caresync/v1/tenants.pb.h"
#include "server/base/status_macros.h"
#include "server/commit/timeline.h"
#include "server/deliveries/entries.h"
#include "server/deliveries/keeping.h"
#include "server/devices/wakes.h"
#include "server/feed/feed_compaction.h"
#include "server/feed/feed_writer.h"
#include "server/mismatch/look_again.h"
#include "server/mismatch/looks.h"
#include "server/mismatch/visit_changes.h"
#include "server/notifications/notices.h"
#include "server/notifications/overdue.h"
#include "server/notifications/raises.h"
#include "server/notifications/telling.h"
#include "server/records/fan_out.h"
#include "server/records/review_resolution.h"
#include "server/records/window.h"
#include "server/roster/apply_changes.h"
#include "server/roster/take_message.h"
#include "server/tenants/tenants.h"

namespace caresync::fakes {

base::TenantId Tenant(std::string_view text) {
  absl::StatusOr<base::TenantId> tenant = base::TenantId::Parse(text);
  ABSL_RAW_CHECK(tenant.ok(), "a test's tenant has no valid name");
  return *std::move(tenant);
}

Engine::Engine(uint64_t seed, Mismatches mismatches)
    : Engine(std::make_unique<storage::MemoryStore>(), seed, std::nullopt, mismatches) {}

namespace {

ManualClock& Set(ManualClock& clock, std::optional<absl::Time> now) {
  if (now.has_value()) clock.SetNow(*now);
  return clock;
}

}  // namespace

Engine::Engine(std::unique_ptr<storage::MemoryStore> memory, uint64_t seed, std::optional<absl::Time> now,
               Mismatches mismatches)
    : memory_(std::move(memory)),
      store_(*memory_),
      executor_(Set(clock_, now)),
      random_(seed),
      keeps_deliveries_(mismatches == Mismatches::kNotedWithDeliveries),
      opening_{commit::NewTimeline(random_), clock_.Now()},
      syncs_under_way_{.opening = opening_.timeline},
      sequencer_(
          std::make_unique<commit::Sequencer>(store_, clock_, random_, executor_, subscriptions_, opening_.timeline)),
      tasks_(std::make_unique<commit::TaskRunner>(store_, *sequencer_, clock_, executor_)),
      dispatcher_(std::make_unique<outbox::Dispatcher>(*sequencer_, clock_, random_, sender_, &mailer_)) {
  StartTasks(mismatches);
  executor_.RunAll();
}

Engine::~Engine() {
  tasks_->Stop();
  executor_.RunAll();
}

void Engine::StartTasks(Mismatches mismatches) {
  tasks_->Register(feed::kCompactionTask, feed::CompactionStep);
  tasks_->Register(records::kWindowTask, records::WindowStep(closing_edge_), commit::TaskWaiters::kSome);
  tasks_->Register(records::kReviewTask, records::ReviewStep);
  records::RegisterFanOuts(*tasks_);
  roster::RegisterTasks(*tasks_);
  dispatcher_->Register(devices::kPushNotice, devices::PushNotices());
  tasks_->Register(outbox::kOutboxTask, dispatcher_->Step());
  if (keeps_deliveries_) tasks_->Register(deliveries::kKeepTask, deliveries::KeepStep);
  if (mismatches != Mismatches::kNone) {
    sequencer_->SetRider([this](commit::Transaction& transaction) -> absl::Status {
      RETURN_IF_ERROR(mismatch::NoteVisitChanges(transaction));
      if (keeps_deliveries_) RETURN_IF_ERROR(deliveries::NoteVisitEntries(transaction));
      return notifications::NoteRaises(transaction);
    });
    tasks_->Register(notifications::kOverdueTask, notifications::OverdueStep(random_));
    tasks_->Register(notifications::kTellTask, notifications::TellStep(random_, syncs_under_way_));
    notifications::RegisterNotices(*dispatcher_);
    tasks_->Register(mismatch::kLookTask, mismatch::LookStep(clock_, clock_.Monotonic(), syncs_under_way_));
    tasks_->Register(mismatch::kLookAgainTask, mismatch::LookAgainStep);
  }
  ABSL_RAW_CHECK(tasks_->Start().ok(), "the tasks of the store cannot be read");
  if (mismatches == Mismatches::kNone) return;
  ABSL_RAW_CHECK(mismatch::SweepAtStart(*Snapshot(), *sequencer_).ok(), "the store's mismatches cannot be read");
}

absl::StatusOr<commit::Committed> Engine::Run(const base::TenantId& tenant, commit::Change change) {
  std::optional<absl::StatusOr<commit::Committed>> outcome;
  sequencer_->Submit(tenant, std::move(change),
                     [&outcome](absl::StatusOr<commit::Committed> committed) { outcome = std::move(committed); });
  executor_.RunAll();
  ABSL_RAW_CHECK(outcome.has_value(), "a change has no end");
  return *std::move(outcome);
}

void Engine::CreateTenant(const base::TenantId& tenant) {
  const absl::StatusOr<commit::Committed> committed = Run(tenant, [&tenant](commit::Transaction& transaction) {
    v1::Tenant request;
    request.set_tenant_id(tenant.text());
    return tenants::CreateTenant(transaction, request).status();
  });
  ABSL_RAW_CHECK(committed.ok(), "a test's tenant cannot be made");
}

void Engine::SetLeastApp(const base::TenantId& tenant, const std::string& version) {
  v1::UpdateTenantRequest least;
  least.set_tenant_id(tenant.text());
  least.set_least_app_version(version);
  const absl::StatusOr<commit::Committed> committed = Run(tenant, [&least](commit::Transaction& transaction) {
    return tenants::UpdateTenant(transaction, least).status();
  });
  ABSL_RAW_CHECK(committed.ok(), "a test's tenant cannot be changed");
}

std::vector<v1::ChangeResult> Engine::ApplyChanges(const base::TenantId& tenant, const std::string& source,
                                                   std::vector<v1::RosterChange> changes) {
  v1::ApplyChangesRequest request;
  for (v1::RosterChange& change : changes) {
    change.set_source(source);
    *request.add_changes() = std::move(change);
  }
  const v1::ApplyChangesResponse response = Send(tenant, source, request);
  return {response.results().begin(), response.results().end()};
}

v1::ApplyChangesResponse Engine::Send(const base::TenantId& tenant, const std::string& source,
                                      const v1::ApplyChangesRequest& request) {
  absl::StatusOr<v1::ApplyChangesResponse> response;
  const absl::StatusOr<commit::Committed> committed = Run(tenant, [&](commit::Transaction& transaction) {
    response = roster::TakeMessage(transaction, {source, opening_.timeline}, true, request);
    return response.status();
  });
  ABSL_RAW_CHECK(committed.ok(), "a test's changes cannot be committed");
  response->mutable_commit()->set_revision(committed->head.revision);
  response->mutable_commit()->set_timeline(committed->head.timeline);
  return *std::move(response);
}

std::unique_ptr<storage::Snapshot> Engine::Snapshot() const {
  absl::StatusOr<std::unique_ptr<storage::Snapshot>> snapshot = memory_->NewSnapshot();
  ABSL_RAW_CHECK(snapshot.ok(), "the store in memory cannot be read");
  return *std::move(snapshot);
}

base::Revision Engine::Head(const base::TenantId& tenant) const {
  const absl::StatusOr<base::CommitPoint> head = commit::ReadHead(*Snapshot(), tenant);
  ABSL_RAW_CHECK(head.ok(), "a tenant's head cannot be read");
  return head->revision;
}

}  // namespace caresync::fakes
