// Changes of the rota that did not reach a phone, as the office lists them by gRPC, and what the program itself does
// about them. None is due within the minutes of a test, so each begins on a store that a server left an hour ago.
#include <future>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "caresync/store/mismatch.pb.h"
#include "caresync/store/stored.pb.h"
#include "caresync/v1/mismatches.grpc.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/executor.h"
#include "server/base/ids.h"
#include "server/base/keys.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/base/uuid.h"
#include "server/commit/sequencer.h"
#include "server/commit/subscriptions.h"
#include "server/commit/timeline.h"
#include "server/devices/device_in_use.h"
#include "server/devices/syncs_under_way.h"
#include "server/feed/feed_entry.h"
#include "server/mismatch/looks.h"
#include "server/mismatch/mismatch_rows.h"
#include "server/mismatch/visit_changes.h"
#include "server/records/record_key.h"
#include "server/roster/take_message.h"
#include "server/tenants/tenants.h"
#include "storage/rocks_store.h"
#include "storage/store.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/eventually.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/rota.h"
#include "tests/fakes/seeded_random.h"
#include "tests/fakes/temporary_directory.h"
#include "tests/integration/client.h"
#include "tests/integration/device.h"
#include "tests/integration/server_process.h"

namespace caresync::integration {
namespace {

using access::Role;
using testing::ElementsAre;
using testing::IsEmpty;
using Stub = v1::MismatchService::Stub;

constexpr char kSource[] = "rota";
constexpr char kPhone[] = "3f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f";
constexpr char kBobsPhone[] = "3f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e60";

void Check(const absl::Status& status) { ABSL_RAW_CHECK(status.ok(), std::string(status.message()).c_str()); }

std::string IdOf(v1::RecordKind kind, const std::string& external_id) {
  return records::IntegratedId(fakes::Tenant("acme"), kSource, kind, external_id).ToString();
}
std::string CarerId(const std::string& external_id) { return IdOf(v1::RECORD_KIND_CARER, external_id); }
std::string VisitId(const std::string& external_id) { return IdOf(v1::RECORD_KIND_VISIT, external_id); }

// Of an hour from `start` on, given by the branch north.
v1::RosterChange VisitAt(const std::string& external_id, const std::string& carer, absl::Time start) {
  v1::RosterChange change = fakes::VisitChange(external_id, "su", {carer});
  change.mutable_visit()->set_branch("north");
  v1::RosterAssignment& assignment = *change.mutable_visit()->mutable_assignments(0);
  *assignment.mutable_start_time() = base::ToTimestamp(start);
  *assignment.mutable_end_time() = base::ToTimestamp(start + absl::Hours(1));
  return change;
}

// What a server did to its store when its clock was an hour behind ours: there were visits of this day, and no phone.
class AnHourAgo {
 public:
  explicit AnHourAgo(const std::string& data_dir) {
    absl::StatusOr<std::unique_ptr<storage::RocksStore>> store = storage::RocksStore::Open(data_dir + "/store");
    Check(store.status());
    store_ = *std::move(store);
    clock_.SetNow(now_ - absl::Hours(1));
    timeline_ = commit::NewTimeline(random_);
    sequencer_ = std::make_unique<commit::Sequencer>(*store_, clock_, random_, executor_, subscriptions_, timeline_);
    sequencer_->SetRider(mismatch::NoteVisitChanges);
    for (const char* name : {"acme", "other"}) {
      Run(fakes::Tenant(name), [name](commit::Transaction& transaction) {
        v1::Tenant request;
        request.set_tenant_id(name);
        return tenants::CreateTenant(transaction, request).status();
      });
    }
  }
  ~AnHourAgo() { sequencer_->WaitUntilIdle(); }
  AnHourAgo(const AnHourAgo&) = delete;
  AnHourAgo& operator=(const AnHourAgo&) = delete;

  void Send(std::vector<v1::RosterChange> changes) {
    v1::ApplyChangesRequest request;
    for (v1::RosterChange& change : changes) {
      change.set_source(kSource);
      *request.add_changes() = std::move(change);
    }
    Run(tenant_, [&](commit::Transaction& transaction) {
      return roster::TakeMessage(transaction, {kSource, timeline_}, true, request).status();
    });
  }

  // Half an hour goes by, and the task looks at what is due.
  void Look() {
    const absl::Duration opened = clock_.Monotonic();
    clock_.Advance(absl::Minutes(30));
    Run(tenant_, [this, opened](commit::Transaction& transaction) -> absl::Status {
      ASSIGN_OR_RETURN(const store::MismatchLooks looks, mismatch::ReadLooks(transaction, tenant_));
      const devices::SyncsUnderWay syncs{.opening = timeline_};
      return mismatch::LookStep(clock_, opened, syncs)(transaction, absl::StrCat(looks.next_due_us()));
    });
  }

  // The carer's phone says that it has all, and the server goes before it has looked what that settles.
  void AcknowledgeAll(const std::string& carer, const std::string& phone) {
    const base::Uuid uuid = *base::Uuid::Parse(phone);
    const base::CommitPoint head = commit::ReadHead(**store_->NewSnapshot(), tenant_).value();
    const feed::Position end = feed::Position::EndOf(head.revision);
    store::DeviceReport report;
    store::DeviceCopy& copy = *report.add_copies();
    copy.set_carer_id(CarerId(carer));
    copy.set_timeline(head.timeline);
    copy.set_revision(head.revision);
    copy.set_position_revision(end.revision);
    copy.set_position_record(end.record.bytes);
    storage::Commit commit =
        fakes::PutOf(storage::Space::kDevices, base::keys::DeviceRow(tenant_, uuid, base::keys::DevicePart::kReport),
                     report.SerializeAsString());
    commit.writes.push_back(devices::DeviceInUseRow(tenant_, *base::Uuid::Parse(CarerId(carer)), uuid, clock_.Now()));
    ABSL_RAW_CHECK(fakes::CommitAndWait(*store_, std::move(commit)).outcome == storage::CommitOutcome::kCommitted,
                   "a phone's rows cannot be written");
  }

  // That of the test.
  absl::Time now() const { return now_; }

 private:
  void Run(const base::TenantId& tenant, commit::Change change) {
    std::promise<absl::Status> promise;
    sequencer_->Submit(tenant, std::move(change), [&promise](const absl::StatusOr<commit::Committed>& committed) {
      promise.set_value(committed.status());
    });
    Check(promise.get_future().get());
  }

  const absl::Time now_ = absl::FromUnixSeconds(absl::ToUnixSeconds(absl::Now()));
  const base::TenantId tenant_ = fakes::Tenant("acme");
  fakes::ManualClock clock_;
  fakes::SeededRandom random_{7};
  std::unique_ptr<storage::RocksStore> store_;
  commit::Subscriptions subscriptions_;
  base::ThreadExecutor executor_{2};
  std::string timeline_;
  std::unique_ptr<commit::Sequencer> sequencer_;
};

// A stream of mismatches, and what was told last of each visit's.
struct WatchCall {
  std::unique_ptr<grpc::ClientContext> context;
  std::unique_ptr<grpc::ClientReader<v1::WatchMismatchesResponse>> stream;
  std::map<std::string, v1::Mismatch> told;
  std::string token;
  bool caught_up = false;
  bool restarted = false;

  // The next message; false where there is none any more.
  bool Read() {
    v1::WatchMismatchesResponse response;
    if (!stream->Read(&response)) return false;
    for (const v1::Mismatch& mismatch : response.mismatches()) told[mismatch.visit_id()] = mismatch;
    token = response.resume_token();
    caught_up = response.caught_up();
    restarted = restarted || response.restarted();
    return true;
  }
  // Reads until that visit's stands so; false where the stream ends before.
  bool ReadUntil(const std::string& visit, v1::MismatchState state) {
    while (!told.contains(visit) || told.at(visit).state() != state) {
      if (!Read()) return false;
    }
    return true;
  }
};

class MismatchServiceTest : public testing::Test {
 protected:
  // Ann has two visits that her phone should show by now, the later one first in the rota; Bob has one between them.
  MismatchServiceTest() {
    auto before = std::make_unique<AnHourAgo>(folder_.path());
    now_ = before->now();
    before->Send({fakes::BranchChange("north"), fakes::CarerChange("ann"), fakes::CarerChange("bob"),
                  fakes::ServiceUserChange("su"), VisitAt("evening", "ann", now_ + absl::Hours(6)),
                  VisitAt("morning", "ann", now_ + absl::Hours(2)), VisitAt("noon", "bob", now_ + absl::Hours(4))});
    before->Look();
    before->AcknowledgeAll("bob", kBobsPhone);
    before.reset();
    server_ = std::make_unique<ServerProcess>(folder_.path());
    client_ = std::make_unique<Client>(*server_);
    stub_ = v1::MismatchService::NewStub(client_->channel());
  }

  std::string List(const v1::ListMismatchesRequest& request, v1::ListMismatchesResponse* response,
                   const access::Identity& caller = As(Role::kSupport, "acme")) const {
    return ReasonOf(client_->Call(*stub_, &Stub::ListMismatches, caller, request, response));
  }

  // All that are open, or resolved, of one page.
  std::vector<v1::Mismatch> Mismatches(bool resolved = false, const std::string& carer = "",
                                       const std::string& branch = "") const {
    v1::ListMismatchesRequest request;
    request.set_ended(resolved);
    request.set_carer_id(carer);
    request.set_branch_id(branch);
    v1::ListMismatchesResponse response;
    EXPECT_EQ(List(request, &response), "");
    EXPECT_EQ(response.next_page_token(), "");
    return {response.mismatches().begin(), response.mismatches().end()};
  }
  static std::vector<std::string> VisitsOf(const std::vector<v1::Mismatch>& mismatches) {
    std::vector<std::string> visits;
    for (const v1::Mismatch& mismatch : mismatches) visits.push_back(mismatch.visit_id());
    return visits;
  }

  WatchCall Watch(const std::string& token, bool follow) const {
    v1::WatchMismatchesRequest request;
    request.set_resume_token(token);
    request.set_follow(follow);
    WatchCall call;
    call.context = client_->Context(As(Role::kSupport, "acme"));
    call.stream = stub_->WatchMismatches(call.context.get(), request);
    return call;
  }
  void CloseOfAnn(const std::string& visit) const {
    v1::CloseMismatchRequest request;
    request.set_carer_id(CarerId("ann"));
    request.set_visit_id(VisitId(visit));
    v1::Mismatch closed;
    EXPECT_EQ(
        ReasonOf(client_->Call(*stub_, &Stub::CloseMismatch, As(Role::kCoordinator, "acme", "olga"), request, &closed)),
        "");
  }

  fakes::TemporaryDirectory folder_;
  absl::Time now_;
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<Stub> stub_;
};

TEST_F(MismatchServiceTest, TellsOfEachWhatThePhoneLacks) {
  const std::vector<v1::Mismatch> of_ann = Mismatches(false, CarerId("ann"));
  ASSERT_THAT(VisitsOf(of_ann), ElementsAre(VisitId("morning"), VisitId("evening")));
  const v1::Mismatch& first = of_ann[0];
  EXPECT_EQ(first.state(), v1::MISMATCH_STATE_AT_RISK);
  EXPECT_EQ(first.carer_id(), CarerId("ann"));
  EXPECT_EQ(first.carer_name(), "ann");
  EXPECT_EQ(first.branch_id(), IdOf(v1::RECORD_KIND_BRANCH, "north"));
  EXPECT_THAT(first.changes(), ElementsAre(v1::VISIT_CHANGE_KIND_NEW));
  EXPECT_FALSE(first.has_from());
  EXPECT_EQ(base::FromTimestamp(first.to().start_time()), now_ + absl::Hours(2));
  EXPECT_EQ(first.to().service_user_name(), "su");
  EXPECT_FALSE(first.has_device()) << "she has signed in on none";
  EXPECT_EQ(first.cause(), v1::MISMATCH_CAUSE_NO_DEVICE);
  EXPECT_NE(first.headline(), "");
  EXPECT_NE(first.advice(), "");
  EXPECT_EQ(base::FromTimestamp(first.first_change_time()), now_ - absl::Hours(1));
}

TEST_F(MismatchServiceTest, APageGoesOnWhereTheOneBeforeEnded) {
  v1::ListMismatchesRequest request;
  request.set_carer_id(CarerId("ann"));
  request.set_page_size(1);
  v1::ListMismatchesResponse first;
  ASSERT_EQ(List(request, &first), "");
  ASSERT_EQ(first.mismatches_size(), 1);
  EXPECT_EQ(first.mismatches(0).visit_id(), VisitId("morning"));
  request.set_page_token(first.next_page_token());
  v1::ListMismatchesResponse second;
  ASSERT_EQ(List(request, &second), "");
  ASSERT_EQ(second.mismatches_size(), 1);
  EXPECT_EQ(second.mismatches(0).visit_id(), VisitId("evening"));

  request.set_ended(true);
  EXPECT_EQ(List(request, &second), "PAGE_TOKEN_NOT_VALID") << "it is of the other list";
  request.set_ended(false);
  request.clear_carer_id();
  EXPECT_EQ(List(request, &second), "PAGE_TOKEN_NOT_VALID") << "it is of one carer's";
}

TEST_F(MismatchServiceTest, FiltersByCarerAndBranch) {
  const std::string north = IdOf(v1::RECORD_KIND_BRANCH, "north");
  EXPECT_EQ(Mismatches(false, CarerId("ann"), north).size(), 2u);
  EXPECT_THAT(Mismatches(false, CarerId("ann"), kPhone), IsEmpty());
  EXPECT_THAT(Mismatches(false, CarerId("nobody")), IsEmpty());
}

TEST_F(MismatchServiceTest, IsForTheOfficeOfItsTenantOnly) {
  v1::ListMismatchesResponse response;
  for (const Role role : {Role::kAdministrator, Role::kCoordinator, Role::kSupport}) {
    EXPECT_EQ(List({}, &response, As(role, "other")), "");
    EXPECT_EQ(response.mismatches_size(), 0);
  }
  EXPECT_EQ(List({}, &response, As(Role::kRostering, "acme", kSource)), "ROLE_NOT_ALLOWED");
  EXPECT_EQ(List({}, &response, AsDevice("acme", CarerId("ann"), kPhone)), "ROLE_NOT_ALLOWED");
  EXPECT_EQ(List({}, &response, AsOperator()), "ROLE_NOT_ALLOWED");
  EXPECT_EQ(List({}, &response, As(Role::kSupport, "unknown")), "TENANT_UNKNOWN");
  v1::ListMismatchesRequest request;
  request.set_carer_id("ann");
  EXPECT_EQ(List(request, &response), "INVALID_FIELD");
}

TEST_F(MismatchServiceTest, AFurtherChangeShowsAtOnceAndANewOneHasItsGrace) {
  client_->Apply("acme", kSource,
                 {VisitAt("morning", "ann", now_ + absl::Hours(3)), VisitAt("night", "ann", now_ + absl::Hours(9))});
  const std::vector<v1::Mismatch> of_ann = Mismatches(false, CarerId("ann"));
  ASSERT_THAT(VisitsOf(of_ann), ElementsAre(VisitId("morning"), VisitId("evening")));
  EXPECT_EQ(base::FromTimestamp(of_ann[0].to().start_time()), now_ + absl::Hours(3));
  EXPECT_GE(*base::FromTimestamp(of_ann[0].last_change_time()), now_);
  EXPECT_EQ(base::FromTimestamp(of_ann[0].first_change_time()), now_ - absl::Hours(1));
}

// Requirement: M5
TEST_F(MismatchServiceTest, ASyncResolvesThoseOfItsCarer) {
  Device phone(*client_, "acme", CarerId("ann"), kPhone);
  ASSERT_TRUE(phone.Sync().ok());
  EXPECT_TRUE(fakes::Eventually([this] { return Mismatches(false, CarerId("ann")).empty(); }));
  const std::vector<v1::Mismatch> resolved = Mismatches(true, CarerId("ann"));
  ASSERT_EQ(resolved.size(), 2u);
  EXPECT_EQ(resolved[0].state(), v1::MISMATCH_STATE_RESOLVED);
  EXPECT_EQ(resolved[0].advice(), "");
  EXPECT_EQ(resolved[0].device().device_uuid(), kPhone);
  EXPECT_TRUE(resolved[0].device().has_last_successful_sync_time());
  EXPECT_GE(*base::FromTimestamp(resolved[0].end_time()), now_);
}

TEST_F(MismatchServiceTest, TellsHowLongChangesTook) {
  const auto lag = [this] {
    v1::IntegrationLag told;
    EXPECT_EQ(ReasonOf(client_->Call(*stub_, &Stub::GetIntegrationLag, As(Role::kSupport, "acme"), {}, &told)), "");
    return told;
  };
  const auto night = [this](int hours) {
    v1::RosterChange change = VisitAt("night", "ann", now_ + absl::Hours(hours));
    *change.mutable_changed_time() = base::ToTimestamp(now_ - absl::Minutes(30));
    return change;
  };
  Device phone(*client_, "acme", CarerId("ann"), kPhone);
  ASSERT_TRUE(phone.Sync().ok());
  client_->Apply("acme", kSource, {night(9)});
  ASSERT_TRUE(phone.Sync().ok());
  EXPECT_TRUE(fakes::Eventually([&lag] { return lag().applied().near().count() == 1; }));
  client_->Apply("acme", kSource, {night(100)});
  EXPECT_EQ(lag().committed().near().count(), 1u);
  EXPECT_EQ(lag().committed().near().late(), 1u) << "it was sent half an hour after it was made";
  EXPECT_EQ(lag().committed().ahead().count(), 1u);
  EXPECT_EQ(lag().committed().ahead().late(), 0u);
  EXPECT_EQ(lag().applied().ahead().count(), 0u);
}

// Requirement: M5
TEST_F(MismatchServiceTest, WhatAPhoneHadAcknowledgedIsResolvedWhenTheServerStarts) {
  EXPECT_TRUE(fakes::Eventually([this] { return Mismatches(false, CarerId("bob")).empty(); }));
  EXPECT_THAT(VisitsOf(Mismatches(true, CarerId("bob"))), ElementsAre(VisitId("noon")));
  EXPECT_EQ(Mismatches().size(), 2u) << "nobody said anything of Ann's";
}

// Requirement: M6
TEST_F(MismatchServiceTest, WhoWatchesIsToldWhatBecomesOfEach) {
  WatchCall call = Watch("", true);
  while (!call.caught_up) ASSERT_TRUE(call.Read());
  EXPECT_FALSE(call.restarted);
  ASSERT_TRUE(call.told.contains(VisitId("morning")) && call.told.contains(VisitId("evening")));
  EXPECT_EQ(call.told.at(VisitId("morning")).state(), v1::MISMATCH_STATE_AT_RISK);
  EXPECT_EQ(base::FromTimestamp(call.told.at(VisitId("morning")).next_state_time()), now_ + absl::Hours(2));

  CloseOfAnn("morning");
  ASSERT_TRUE(call.ReadUntil(VisitId("morning"), v1::MISMATCH_STATE_CLOSED));
  EXPECT_EQ(call.told.at(VisitId("morning")).transitions(0).person(), "olga");

  Device phone(*client_, "acme", CarerId("ann"), kPhone);
  ASSERT_TRUE(phone.Sync().ok());
  ASSERT_TRUE(call.ReadUntil(VisitId("evening"), v1::MISMATCH_STATE_RESOLVED));
  call.context->TryCancel();
  EXPECT_EQ(call.stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(MismatchServiceTest, WhoWatchedBeforeARestartIsToldWhatTheyMissed) {
  // The server resolves Bob's by itself when it starts.
  ASSERT_TRUE(fakes::Eventually([this] { return Mismatches(false, CarerId("bob")).empty(); }));
  WatchCall before = Watch("", false);
  while (before.Read()) continue;
  ASSERT_TRUE(before.stream->Finish().ok());
  EXPECT_TRUE(before.caught_up);
  EXPECT_EQ(before.told.size(), 2u);
  CloseOfAnn("morning");
  ASSERT_EQ(server_->Stop(), 0);
  server_ = std::make_unique<ServerProcess>(folder_.path());
  client_ = std::make_unique<Client>(*server_);
  stub_ = v1::MismatchService::NewStub(client_->channel());
  WatchCall after = Watch(before.token, false);
  while (after.Read()) continue;
  ASSERT_TRUE(after.stream->Finish().ok());
  EXPECT_FALSE(after.restarted);
  ASSERT_EQ(after.told.size(), 1u);
  EXPECT_EQ(after.told.at(VisitId("morning")).state(), v1::MISMATCH_STATE_CLOSED);
}

}  // namespace
}  // namespace caresync::integration
