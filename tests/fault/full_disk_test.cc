// The real server on a small disk that others fill up, and empty again.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
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
    const uint64_t available = std::filesystem::space(folder_).available;
    ASSERT_GT(available, left);
    const int file = open(filler().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ASSERT_GE(file, 0);
    EXPECT_EQ(posix_fallocate(file, 0, static_cast<off_t>(available - left)), 0);
    close(file);
  }
  void MakeRoom() const { std::filesystem::remove(filler()); }

 private:
  std::string filler() const { return folder_ + "/somebody-else"; }

  const std::string folder_;
  std::string why_not_;
};

HealthCheckResponse::ServingStatus HealthOf(const Client& client) {
  HealthCheckResponse response;
  const auto context = client.ContextWith("");
  const grpc::Status status = Health::NewStub(client.channel())->Check(context.get(), {}, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response.status();
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

TEST(FullDisk, IsToldAndTheServerGoesOnWhenThereIsRoomAgain) {
  const fakes::TemporaryDirectory folder;
  const SmallDisk disk(folder.path());
  ASSERT_EQ(disk.why_not(), "")
      << "this test needs a mount namespace of its own: run it as root, or where user namespaces are allowed";
  auto server = std::make_unique<ServerProcess>(folder.path());
  {
    const Client client(*server);
    client.CreateTenant("acme");
    const auto applied = client.Apply(
        "acme", "rota",
        {fakes::CarerChange("ann"), fakes::ServiceUserChange("su"), fakes::VisitChange("v", "su", {"ann"})});
    integration::Device phone(client, "acme", applied.results(0).record_id(), "3f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f");
    ASSERT_TRUE(phone.Sync().ok());
    EXPECT_EQ(HealthOf(client), HealthCheckResponse::SERVING);

    ASSERT_NO_FATAL_FAILURE(disk.FillUpTo(kLeftBytes));
    EXPECT_TRUE(fakes::Eventually([&] { return HealthOf(client) == HealthCheckResponse::NOT_SERVING; }));
    const grpc::Status refused = CreateTenant(client, "refused");
    EXPECT_EQ(integration::ReasonOf(refused), "STORE_FULL") << refused.error_message();
    EXPECT_TRUE(integration::RetryDelayOf(refused).has_value());
    // What a carer recorded meanwhile stays on the phone.
    phone.Note(applied.results(2).record_id(), "while the disk was full");
    EXPECT_FALSE(phone.Sync().ok());
    EXPECT_EQ(phone.held().unsent.size(), 1u);
    // Reading needs no room.
    EXPECT_EQ(TenantsOf(client), (std::set<std::string>{"acme"}));

    disk.MakeRoom();
    EXPECT_TRUE(fakes::Eventually([&] { return HealthOf(client) == HealthCheckResponse::SERVING; }));
    EXPECT_TRUE(CreateTenant(client, "later").ok());
    EXPECT_TRUE(phone.Sync().ok());
    EXPECT_TRUE(phone.held().unsent.empty());
  }
  server->Kill();
  server = std::make_unique<ServerProcess>(folder.path());
  EXPECT_EQ(TenantsOf(Client(*server)), (std::set<std::string>{"acme", "later"}));
}

}  // namespace
}  // namespace caresync::fault
