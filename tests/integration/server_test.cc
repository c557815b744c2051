#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/access/identity.h"
#include "tests/fakes/temporary_directory.h"
#include "tests/integration/client.h"
#include "tests/integration/server_process.h"

namespace caresync::integration {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(Caresyncd, RefusesBadOptionsWithOneClearLine) {
  const std::vector<std::vector<std::string>> bad = {{"--nonsense"},
                                                     {"--grpc-listen", "here"},
                                                     {"--grpc-listen", "127.0.0.1:70000"},
                                                     {"--grpc-listen", "http://127.0.0.1:7443"},
                                                     {"--threads", "0"},
                                                     {"--threads", "many"},
                                                     {"--batch-bytes", "1023"},
                                                     {"--batch-bytes", "65537"},
                                                     {"--log-level", "loud"},
                                                     {"--config", "/nonexistent/file"}};
  for (const std::vector<std::string>& arguments : bad) {
    const Ended ended = RunToItsEnd(arguments);
    EXPECT_EQ(ended.exit_code, 2) << arguments[0];
    EXPECT_EQ(ended.error_output.find('\n'), ended.error_output.size() - 1) << ended.error_output;
    EXPECT_THAT(ended.error_output, HasSubstr("caresyncd: "));
  }
}

TEST(Caresyncd, RefusesASecondProcessOnItsData) {
  const fakes::TemporaryDirectory folder;
  const ServerProcess server(folder.path());
  const Ended second = RunToItsEnd({"--data-dir", folder.path(), "--grpc-listen", "127.0.0.1:0"});
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.error_output,
              AllOf(HasSubstr(folder.path()), HasSubstr("pid " + std::to_string(server.pid()) + ")"),
                    HasSubstr("stop it first, or use another directory")));
}

TEST(Caresyncd, RefusesAPortThatIsTaken) {
  const fakes::TemporaryDirectory folder;
  const fakes::TemporaryDirectory other;
  const ServerProcess server(folder.path());
  const Ended second = RunToItsEnd({"--data-dir", other.path(), "--grpc-listen", server.address()});
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.error_output,
              AllOf(HasSubstr("cannot listen on \"" + server.address()), HasSubstr("another program uses the port")));
}

TEST(Caresyncd, RefusesADataFolderThatIsAFile) {
  const Ended ended = RunToItsEnd({"--data-dir", "/dev/null", "--grpc-listen", "127.0.0.1:0"});
  EXPECT_EQ(ended.exit_code, 1);
  EXPECT_THAT(ended.error_output, HasSubstr("/dev/null"));
}

TEST(Caresyncd, MakesFilesAndFoldersThatNobodyElseCanRead) {
  const fakes::TemporaryDirectory folder;
  // Inherited: what whoever starts a server leaves open to all.
  const mode_t before = umask(0);
  ServerProcess server(folder / "deep/data");
  umask(before);
  Client(server).CreateTenant("acme");
  EXPECT_EQ(server.Stop(), 0);

  using std::filesystem::perms;
  size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path())) {
    const perms others = entry.status().permissions() & (perms::group_all | perms::others_all);
    EXPECT_EQ(others, perms::none) << entry.path();
    files += entry.is_regular_file() ? 1 : 0;
  }
  EXPECT_GT(files, 5u);
  EXPECT_TRUE(std::filesystem::exists(folder / "deep/data/keys/signing_key.json"));
}

TEST(Caresyncd, RefusesAStoreThatItCannotOpenAndSaysWhatToDo) {
  const fakes::TemporaryDirectory folder;
  EXPECT_EQ(ServerProcess(folder.path()).Stop(), 0);
  const auto start = [&folder] { return RunToItsEnd({"--data-dir", folder.path(), "--grpc-listen", "127.0.0.1:0"}); };

  std::filesystem::rename(folder / "store/rocksdb/CURRENT", folder / "kept");
  const Ended damaged = start();
  EXPECT_EQ(damaged.exit_code, 1);
  EXPECT_THAT(damaged.error_output, AllOf(HasSubstr(folder / "store"), HasSubstr("restore the whole directory")));
  std::filesystem::rename(folder / "kept", folder / "store/rocksdb/CURRENT");

  std::ofstream(folder / "store/FORMAT") << "caresync store format 2\n";
  const Ended newer = start();
  EXPECT_EQ(newer.exit_code, 1);
  EXPECT_THAT(newer.error_output, AllOf(HasSubstr(folder / "store"), HasSubstr("Start the newer version")));
  std::ofstream(folder / "store/FORMAT") << "caresync store format 1\n";

  std::ofstream(folder / "keys/signing_key.json") << "no key";
  const Ended keyless = start();
  EXPECT_EQ(keyless.exit_code, 1);
  EXPECT_THAT(keyless.error_output, AllOf(HasSubstr(folder / "keys/signing_key.json"), HasSubstr("no signing key")));
}

TEST(Caresyncd, RefusesAStoreWhoseSigningKeyIsLostUntilAnotherIsAskedFor) {
  const fakes::TemporaryDirectory folder;
  const std::string key = folder / "keys/signing_key.json";
  EXPECT_EQ(ServerProcess(folder.path()).Stop(), 0);
  std::filesystem::rename(key, folder / "kept");

  const Ended lost = RunToItsEnd({"--data-dir", folder.path(), "--grpc-listen", "127.0.0.1:0"});
  EXPECT_EQ(lost.exit_code, 1);
  EXPECT_THAT(lost.error_output, AllOf(HasSubstr(key), HasSubstr("from the backup"), HasSubstr("--new-signing-key")));
  EXPECT_FALSE(std::filesystem::exists(key)) << "it was replaced by another";

  std::filesystem::copy_file(folder / "kept", key);
  EXPECT_EQ(ServerProcess(folder.path()).Stop(), 0) << "put back from the backup";

  std::filesystem::remove(key);
  {
    ServerProcess asked(folder.path(), {"--new-signing-key"});
    EXPECT_THAT(asked.LogLine({"signing_key_replaced"}), AllOf(HasSubstr(" warning "), HasSubstr(key)));
    Client(asked).CreateTenant("acme");
    EXPECT_EQ(asked.Stop(), 0);
  }
  EXPECT_EQ(ServerProcess(folder.path()).Stop(), 0);
}

TEST(Caresyncd, RefusesASigningKeyThatOthersCanRead) {
  const fakes::TemporaryDirectory folder;
  const std::string key = folder / "keys/signing_key.json";
  EXPECT_EQ(ServerProcess(folder.path()).Stop(), 0);
  ASSERT_EQ(chmod(key.c_str(), 0640), 0);
  const Ended open_to_others = RunToItsEnd({"--data-dir", folder.path(), "--grpc-listen", "127.0.0.1:0"});
  EXPECT_EQ(open_to_others.exit_code, 1);
  EXPECT_THAT(open_to_others.error_output, AllOf(HasSubstr(key), HasSubstr("chmod 600")));
  ASSERT_EQ(chmod(key.c_str(), 0600), 0);
  EXPECT_EQ(ServerProcess(folder.path()).Stop(), 0);
}

TEST(Caresyncd, LogsItsStartAndOfItsOptionsTheNamesOnly) {
  const fakes::TemporaryDirectory folder;
  const ServerProcess server(folder.path(),
                             {"--smtp-url", "smtp://127.0.0.1:1", "--smtp-from", "caresync@example.org"});
  const std::string line = server.LogLine({" started "});
  EXPECT_THAT(line, AllOf(HasSubstr(" info "), HasSubstr("version=0."), HasSubstr("listening=" + server.address()),
                          HasSubstr("data=" + folder.path()), HasSubstr("store_made=2"), HasSubstr("timeline=")));
  EXPECT_THAT(line, AllOf(HasSubstr("--data-dir"), HasSubstr("--smtp-from"), Not(HasSubstr("--threads"))));
  EXPECT_THAT(line, Not(HasSubstr("example.org")));
}

// The system's bound on the size of a file stands in for a disk that takes no more writes.
TEST(Caresyncd, EndsWithAnErrorWhenItsStoreFails) {
  const fakes::TemporaryDirectory folder;
  // Inherited: a write past the bound fails then, instead of ending the process.
  signal(SIGXFSZ, SIG_IGN);
  ServerProcess server(folder.path());
  const Client client(server);
  client.CreateTenant("acme");
  const rlimit nothing = {.rlim_cur = 1, .rlim_max = 1};
  ASSERT_EQ(prlimit(server.pid(), RLIMIT_FSIZE, &nothing, nullptr), 0);
  v1::CreateTenantRequest request;
  request.mutable_tenant()->set_tenant_id("lost");
  v1::Tenant created;
  const grpc::Status status =
      client.Call(client.tenants(), &v1::TenantService::Stub::CreateTenant, AsOperator(), request, &created);
  EXPECT_EQ(ReasonOf(status), "STORE_UNAVAILABLE") << status.error_message();
  EXPECT_EQ(server.Wait(), 1);
  EXPECT_THAT(server.LogLine({"store_failed"}), AllOf(HasSubstr(" error "), HasSubstr("restart the server")));

  const ServerProcess again(folder.path());
  Client(again).CreateTenant("lost");
}

TEST(Caresyncd, GoesOnWhereItWasAfterAStopAndAfterACrash) {
  const fakes::TemporaryDirectory folder;
  {
    ServerProcess server(folder.path());
    Client(server).CreateTenant("first");
    EXPECT_EQ(server.Stop(), 0);
  }
  {
    ServerProcess server(folder.path());
    Client(server).CreateTenant("second");
    server.Kill();
  }
  ServerProcess server(folder.path());
  Client client(server);
  v1::ListTenantsResponse response;
  const grpc::Status status = client.Call(client.tenants(), &v1::TenantService::Stub::ListTenants, AsOperator(),
                                          v1::ListTenantsRequest(), &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(response.tenants_size(), 2);
  EXPECT_EQ(response.tenants(0).tenant_id(), "first");
  EXPECT_EQ(response.tenants(1).tenant_id(), "second");
}

TEST(Caresyncd, TellsOpenStreamsThatItGoesAway) {
  const fakes::TemporaryDirectory folder;
  ServerProcess server(folder.path());
  Client client(server);
  client.CreateTenant("acme");
  const auto context = client.Context(As(access::Role::kRostering, "acme", "rota"));
  v1::StreamCareEventsRequest request;
  request.set_follow(true);
  const auto stream = client.roster().StreamCareEvents(context.get(), request);
  v1::StreamCareEventsResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_TRUE(response.caught_up());
  const auto changes_context = client.Context(As(access::Role::kRostering, "acme", "rota"));
  const auto changes = client.roster().ApplyChanges(changes_context.get());
  ASSERT_TRUE(changes->Write(v1::ApplyChangesRequest()));
  v1::ApplyChangesResponse applied;
  ASSERT_TRUE(changes->Read(&applied));

  server.AskToStop();
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(ReasonOf(stream->Finish()), "SHUTTING_DOWN");
  EXPECT_EQ(ReasonOf(changes->Finish()), "SHUTTING_DOWN");
  EXPECT_EQ(server.Wait(), 0);
}

}  // namespace
}  // namespace caresync::integration
