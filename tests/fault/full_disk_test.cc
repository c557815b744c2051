// The real server on a small disk that others fill up, and empty again.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "health.grpc.pb.h"
#include "storage/rocks_store.h"
#include "tests/fakes/eventually.h"
#include "tests/fakes/rota.h"
#include "tests/fakes/temporary_directory.h"
#include "tests/integration/client.h"
#include "tests/integration/device.h"
#include "tests/integration/server_process.h"

namespace caresync::fault {
namespace {

using access::Role;
using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckResponse;
using integration::Client;
using integration::ServerProcess;

// Room for a small store beside what it leaves alone.
constexpr uint64_t kDiskBytes = storage::kReservedBytes + (uint64_t{192} << 20);
// Clearly less than it leaves alone, and far more than it takes in a test.
constexpr uint64_t kLeftBytes = storage::kReservedBytes / 2;

bool Write(const std::string& path, const std::string& text) { return (std::ofstream(path) << text).flush().good(); }

// Has this thread, and what it starts, see mounts of their own. False where the system does not let it.
bool HaveOwnMounts() {
  if (unshare(CLONE_NEWNS) != 0) {
    const std::string user = absl::StrCat(getuid(), " ", getuid(), " 1");
    const std::string group = absl::StrCat(getgid(), " ", getgid(), " 1");
    // Also where it may do so by itself it may not from a process that has threads.
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
    if (!Write("/proc/self/setgroups", "deny") || !Write("/proc/self/uid_map", user)) return false;
    if (!Write("/proc/self/gid_map", group)) return false;
  }
  return mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

// A disk of its own on a folder, for as long as this lives.
class SmallDisk {
 public:
  explicit SmallDisk(std::string folder) : folder_(std::move(folder)) {
    const std::string size = absl::StrCat("size=", kDiskBytes);
    if (!HaveOwnMounts() || mount("caresync", folder_.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, size.c_str()) != 0) {
      why_not_ = std::strerror(errno);
    }
  }
  ~SmallDisk() {
    if (why_not_.empty()) umount2(folder_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  // Why there is none; empty: there is.
  const std::string& why_not() const { return why_not_; }

  // Somebody else's file takes all but `left` bytes.
  void FillUpTo(uint64_t left) const {
    ASSERT_GT(Available(), left);
    const int file = open(filler().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ASSERT_GE(file, 0);
    off_t size = 0;
    // What is written meanwhile may leave less than there was when it was asked for.
    for (int tries = 0; tries < kFillingTries && Available() > left; ++tries) {
      const off_t more = static_cast<off_t>(Available() - left);
      if (posix_fallocate(file, size, more) == 0) size += more;
    }
    close(file);
    ASSERT_LE(Available(), left);
  }
  void MakeRoom() const { std::filesystem::remove(filler()); }

 private:
  static constexpr int kFillingTries = 100;

  std::string filler() const { return folder_ + "/somebody-else"; }
  uint64_t Available() const { return std::filesystem::space(folder_).available; }

  const std::string folder_;
  std::string why_not_;
};

// UNKNOWN where it is not answered.
HealthCheckResponse::ServingStatus HealthOf(const Client& client) {
  HealthCheckResponse response;
  const auto context = client.ContextWith("");
  const grpc::Status status = Health::NewStub(client.channel())->Check(context.get(), {}, &response);
  return status.ok() ? response.status() : HealthCheckResponse::UNKNOWN;
}

grpc::Status CreateTenant(const Client& client, const std::string& tenant) {
  v1::CreateTenantRequest request;
  request.mutable_tenant()->set_tenant_id(tenant);
  v1::Tenant created;
  return client.Call(client.tenants(), &v1::TenantService::Stub::CreateTenant, integration::AsOperator(), request,
                     &created);
}

std::set<std::string> TenantsOf(const Client& client) {
  v1::ListTenantsResponse response;
  const grpc::Status status = client.Call(client.tenants(), &v1::TenantService::Stub::ListTenants,
                                          integration::AsOperator(), v1::ListTenantsRequest(), &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  std::set<std::string> tenants;
  for (const v1::Tenant& tenant : response.tenants()) tenants.insert(tenant.tenant_id());
  return tenants;
}

// The care events that the agency's rostering system can read back.
std::multiset<std::string> EventsOf(const Client& client) {
  const auto context = client.Context(integration::As(Role::kRostering, "acme", "rota"));
  const auto stream = client.roster().StreamCareEvents(context.get(), {});
  std::multiset<std::string> events;
  v1::StreamCareEventsResponse response;
  while (stream->Read(&response)) {
    for (const v1::CareEventDelivery& event : response.events()) events.insert(event.event_id());
  }
  const grpc::Status status = stream->Finish();
  EXPECT_TRUE(status.ok()) << status.error_message();
  return events;
}

class FullDiskTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(disk_.why_not(), "")
        << "this test needs a mount namespace of its own: run it as root, or where user namespaces are allowed";
    Start();
    client_->CreateTenant("acme");
    const auto applied = client_->Apply(
        "acme", "rota",
        {fakes::CarerChange("ann"), fakes::ServiceUserChange("su"), fakes::VisitChange("v", "su", {"ann"})});
    visit_ = applied.results(2).record_id();
    phone_ = std::make_unique<integration::Device>(*client_, "acme", applied.results(0).record_id(),
                                                   "3f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f");
    ASSERT_TRUE(phone_->Sync().ok());
    EXPECT_EQ(HealthOf(*client_), HealthCheckResponse::SERVING);
  }

  void Start() {
    server_ = std::make_unique<ServerProcess>(folder_.path());
    client_ = std::make_unique<Client>(*server_);
    if (phone_ != nullptr) phone_->UseServer(*client_);
  }

  // What a carer records meanwhile stays on the phone.
  void ExpectNoteStaysOnThePhone() {
    note_ = phone_->Note(visit_, "while the disk was full");
    EXPECT_FALSE(phone_->Sync().ok());
    EXPECT_EQ(phone_->held().unsent.size(), 1u);
  }

  void ExpectServes() {
    EXPECT_EQ(HealthOf(*client_), HealthCheckResponse::SERVING);
    EXPECT_TRUE(CreateTenant(*client_, "later").ok());
    EXPECT_TRUE(phone_->Sync().ok());
    EXPECT_TRUE(phone_->held().unsent.empty());
  }

  void ExpectWhatWasAnsweredAfterACrash() {
    server_->Kill();
    Start();
    EXPECT_EQ(TenantsOf(*client_), (std::set<std::string>{"acme", "later"}));
    EXPECT_EQ(EventsOf(*client_), std::multiset<std::string>{note_});
  }

  bool HasEnded() const {
    siginfo_t ended{};
    return waitid(P_PID, static_cast<id_t>(server_->pid()), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           ended.si_pid != 0;
  }

  const fakes::TemporaryDirectory folder_;
  const SmallDisk disk_{folder_.path()};
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<integration::Device> phone_;
  std::string visit_;
  std::string note_;
};

TEST_F(FullDiskTest, IsToldAndTheServerGoesOnWhenThereIsRoomAgain) {
  ASSERT_NO_FATAL_FAILURE(disk_.FillUpTo(kLeftBytes));
  EXPECT_TRUE(fakes::Eventually([&] { return HealthOf(*client_) == HealthCheckResponse::NOT_SERVING; }));
  const grpc::Status refused = CreateTenant(*client_, "refused");
  EXPECT_EQ(integration::ReasonOf(refused), "STORE_FULL") << refused.error_message();
  EXPECT_TRUE(integration::RetryDelayOf(refused).has_value());
  ExpectNoteStaysOnThePhone();
  // Reading needs no room.
  EXPECT_EQ(TenantsOf(*client_), (std::set<std::string>{"acme"}));

  disk_.MakeRoom();
  EXPECT_TRUE(fakes::Eventually([&] { return HealthOf(*client_) == HealthCheckResponse::SERVING; }));
  ExpectServes();
  ExpectWhatWasAnsweredAfterACrash();
}

// What the server leaves alone is taken by others: it may serve again, or end by name and serve when it is started.
TEST_F(FullDiskTest, WithoutAnyRoomTakesNothingThatWasAnswered) {
  ASSERT_NO_FATAL_FAILURE(disk_.FillUpTo(0));
  EXPECT_FALSE(CreateTenant(*client_, "refused").ok());
  ExpectNoteStaysOnThePhone();
  EXPECT_TRUE(fakes::Eventually([&] { return HasEnded() || HealthOf(*client_) == HealthCheckResponse::NOT_SERVING; }));

  disk_.MakeRoom();
  EXPECT_TRUE(fakes::Eventually([&] { return HasEnded() || HealthOf(*client_) == HealthCheckResponse::SERVING; }));
  if (HasEnded()) {
    EXPECT_NE(server_->LogLine({"store_failed"}), "");
    EXPECT_EQ(server_->Wait(), 1);
    Start();
  }
  ExpectServes();
  ExpectWhatWasAnsweredAfterACrash();
}

}  // namespace
}  // namespace caresync::fault
