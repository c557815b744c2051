// A store that is put back: the data directory is copied while the server is stopped, and takes its own place later.
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "server/base/limits.h"
#include "server/sync/policy.h"
#include "tests/fakes/rota.h"
#include "tests/fakes/seeded_random.h"
#include "tests/fakes/temporary_directory.h"
#include "tests/fakes/test_device.h"
#include "tests/integration/client.h"
#include "tests/integration/server_process.h"

namespace caresync::integration {
namespace {

using access::Role;

// What a sync came to, as the device saw it.
struct Seen {
  bool waiting = false;
  bool asked_for_events = false;
  std::optional<v1::RebuildReason> rebuild;
  bool recorded = false;
  std::string reason;
};

v1::RosterChange VisitSaying(const std::string& notes) {
  v1::RosterChange change = fakes::VisitChange("v1", "su", {"ann"});
  change.mutable_visit()->set_notes(notes);
  return change;
}

class RestoreTest : public testing::Test {
 protected:
  RestoreTest() { Start(); }

  void Start() {
    server_ = std::make_unique<ServerProcess>(data_dir());
    client_ = std::make_unique<Client>(*server_);
  }
  void Stop() {
    client_.reset();
    EXPECT_EQ(server_->Stop(), 0);
    server_.reset();
  }
  void BackUp() {
    Stop();
    std::filesystem::copy(data_dir(), backup(), std::filesystem::copy_options::recursive);
    Start();
  }
  void Restore() {
    Stop();
    std::filesystem::remove_all(data_dir());
    std::filesystem::rename(backup(), data_dir());
    Start();
  }

  v1::ApplyChangesResponse Send(v1::ApplyChangesRequest request) {
    for (v1::RosterChange& change : *request.mutable_changes()) change.set_source("rota");
    const auto context = client_->Context(As(Role::kRostering, "acme", "rota"));
    const auto stream = client_->roster().ApplyChanges(context.get());
    stream->Write(request);
    stream->WritesDone();
    v1::ApplyChangesResponse response;
    EXPECT_TRUE(stream->Read(&response));
    EXPECT_EQ(ReasonOf(stream->Finish()), "");
    return response;
  }
  v1::ApplyChangesResponse SendVisit(const std::string& notes, const v1::CommitPoint& seen) {
    v1::ApplyChangesRequest request;
    *request.mutable_last_commit_seen() = seen;
    *request.add_changes() = VisitSaying(notes);
    return Send(request);
  }

  Seen Sync(fakes::TestDevice& device, v1::SyncType type = v1::SYNC_TYPE_STANDARD) {
    const auto context = client_->Context(AsDevice("acme", carer_.ToString(), device.uuid().ToString()));
    const auto stream = client_->sync().Sync(context.get());
    stream->Write(device.Start(carer_, type));
    for (const v1::SyncRequest& upload : device.Uploads(carer_)) stream->Write(upload);
    Seen seen;
    v1::SyncResponse response;
    while (stream->Read(&response)) {
      seen.waiting |= response.started().waiting();
      seen.recorded |= response.has_sync_recorded();
      if (response.has_rebuild()) seen.rebuild = response.rebuild().reason();
      if (response.started().resend_events()) {
        seen.asked_for_events = true;
        for (const v1::SyncRequest& upload : device.Resend(carer_)) stream->Write(upload);
      }
      if (const auto ack = device.Apply(carer_, response)) stream->Write(*ack);
      if (seen.recorded) stream->WritesDone();
    }
    seen.reason = ReasonOf(stream->Finish());
    EXPECT_TRUE(device.faults().empty()) << device.faults().front();
    return seen;
  }

  std::string NotesOn(fakes::TestDevice& device) {
    v1::Visit visit;
    visit.ParseFromString(device.of(carer_).in_use.at({v1::RECORD_KIND_VISIT, visit_}));
    return visit.notes();
  }
  bool Holds(fakes::TestDevice& device, const v1::UploadedEvent& event) {
    return device.of(carer_).in_use.contains({v1::RECORD_KIND_CARE_EVENT, event.event_id()});
  }
  v1::UploadedEvent Record(fakes::TestDevice& device) {
    v1::CareEvent event;
    event.mutable_occurred_time()->set_seconds(1'772'431'200);
    event.set_visit_id(visit_);
    event.mutable_note()->set_text("ate well");
    return device.Record(carer_, event, random_);
  }
  std::string Release(const access::Identity& caller, v1::ReleaseRebuildsResponse* response) {
    v1::ReleaseRebuildsRequest request;
    request.set_tenant_id("acme");
    return ReasonOf(
        client_->Call(client_->tenants(), &v1::TenantService::Stub::ReleaseRebuilds, caller, request, response));
  }
  // A device whose place is the very moment at which the waiting ends.
  base::Uuid FirstInPlace() {
    while (true) {
      const base::Uuid uuid = base::Uuid::Random(random_);
      if (sync::PlaceIn(base::limits::kRebuildSpread, uuid) == absl::ZeroDuration()) return uuid;
    }
  }

  std::string data_dir() const { return folder_.path() + "/data"; }
  std::string backup() const { return folder_.path() + "/backup"; }

  fakes::TemporaryDirectory folder_;
  fakes::SeededRandom random_{1};
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<Client> client_;
  base::Uuid carer_;
  std::string visit_;
};

TEST_F(RestoreTest, PhonesWaitForTheRotaAndNothingThatWasAnsweredIsLost) {
  client_->CreateTenant("acme");
  v1::ApplyChangesRequest first;
  *first.add_changes() = fakes::CarerChange("ann");
  *first.add_changes() = fakes::ServiceUserChange("su");
  *first.add_changes() = VisitSaying("of before");
  const v1::ApplyChangesResponse rota = Send(first);
  carer_ = *base::Uuid::Parse(rota.results(0).record_id());
  visit_ = rota.results(2).record_id();
  fakes::TestDevice ahead(FirstInPlace());
  fakes::TestDevice behind(FirstInPlace());
  EXPECT_TRUE(Sync(ahead).recorded);
  EXPECT_TRUE(Sync(behind).recorded);

  BackUp();
  const v1::ApplyChangesResponse lost = SendVisit("lost", rota.commit());
  EXPECT_FALSE(lost.has_store_restored());
  const v1::UploadedEvent event = Record(ahead);
  EXPECT_TRUE(Sync(ahead).recorded);
  EXPECT_EQ(NotesOn(ahead), "lost");
  EXPECT_TRUE(Holds(ahead, event));

  Restore();
  // A device of before the backup goes on as if nothing had been.
  const Seen known = Sync(behind);
  EXPECT_TRUE(known.recorded);
  EXPECT_FALSE(known.waiting || known.rebuild.has_value());
  for (const v1::SyncType type : {v1::SYNC_TYPE_AUTO, v1::SYNC_TYPE_CLEAN}) {
    const Seen waiting = Sync(ahead, type);
    EXPECT_TRUE(waiting.waiting);
    EXPECT_EQ(waiting.asked_for_events, type == v1::SYNC_TYPE_AUTO) << "it is asked until it has answered";
    EXPECT_EQ(waiting.reason, "WAITING_AFTER_RESTORE");
    EXPECT_EQ(NotesOn(ahead), "lost") << "the copy in use is kept";
  }

  const v1::ApplyChangesResponse told = SendVisit("lost", lost.commit());
  ASSERT_TRUE(told.has_store_restored());
  EXPECT_EQ(told.store_restored().head().revision(), rota.commit().revision());
  EXPECT_EQ(told.store_restored().head().timeline(), rota.commit().timeline());
  EXPECT_TRUE(told.store_restored().has_head_time());
  EXPECT_EQ(told.results(0).outcome(), v1::CHANGE_OUTCOME_UPDATED);
  EXPECT_TRUE(Sync(ahead).waiting);
  v1::ApplyChangesRequest resent;
  resent.set_resent(true);
  Send(resent);

  const Seen rebuilt = Sync(ahead);
  EXPECT_TRUE(rebuilt.recorded);
  EXPECT_EQ(rebuilt.rebuild, v1::REBUILD_REASON_FOREIGN);
  EXPECT_EQ(NotesOn(ahead), "lost");
  EXPECT_TRUE(Holds(ahead, event));
  EXPECT_TRUE(Sync(behind).recorded);
  EXPECT_TRUE(Holds(behind, event));
}

TEST_F(RestoreTest, APersonMayEndTheWaiting) {
  client_->CreateTenant("acme");
  v1::ApplyChangesRequest first;
  *first.add_changes() = fakes::CarerChange("ann");
  *first.add_changes() = fakes::ServiceUserChange("su");
  *first.add_changes() = VisitSaying("of before");
  const v1::ApplyChangesResponse rota = Send(first);
  carer_ = *base::Uuid::Parse(rota.results(0).record_id());
  visit_ = rota.results(2).record_id();
  BackUp();
  SendVisit("lost", rota.commit());
  fakes::TestDevice device(FirstInPlace());
  EXPECT_TRUE(Sync(device).recorded);

  Restore();
  EXPECT_TRUE(Sync(device).waiting);
  v1::ReleaseRebuildsResponse released;
  EXPECT_EQ(Release(As(Role::kCoordinator, "acme"), &released), "ROLE_NOT_ALLOWED");
  EXPECT_EQ(Release(As(Role::kAdministrator, "acme"), &released), "");
  v1::ReleaseRebuildsResponse again;
  EXPECT_EQ(Release(AsOperator(), &again), "");
  EXPECT_EQ(again.release_time().seconds(), released.release_time().seconds());
  EXPECT_EQ(again.release_time().nanos(), released.release_time().nanos());
  const Seen rebuilt = Sync(device);
  EXPECT_EQ(rebuilt.rebuild, v1::REBUILD_REASON_FOREIGN);
  EXPECT_TRUE(rebuilt.recorded);
  EXPECT_EQ(NotesOn(device), "of before");
}

}  // namespace
}  // namespace caresync::integration
