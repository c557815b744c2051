#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/rota.h"
#include "tests/fakes/temporary_directory.h"
#include "tests/integration/client.h"
#include "tests/integration/device.h"
#include "tests/integration/server_process.h"

namespace caresync::integration {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr char kAnyPort[] = "127.0.0.1:0";
// Each fills a batch of 1,024 bytes; one of the size by default holds them all.
constexpr int kLongVisits = 4;

class OptionsTest : public testing::Test {
 protected:
  // A file of options with this content.
  std::string File(const std::string& content) const {
    const std::string file = folder_ / "caresyncd.conf";
    std::ofstream(file) << content;
    return file;
  }
  // A data folder that is not there yet.
  std::string Data(const std::string& name) const { return folder_ / name; }

  // Expects that a server of these options uses the data folder `name`, and none of the others.
  void ExpectUses(const std::string& name, std::vector<std::string> arguments, const Environment& environment) const {
    ServerProcess server(Data(name), arguments, environment);
    EXPECT_EQ(server.Stop(), 0);
    for (const std::string folder : {"from-command-line", "from-file", "from-environment"}) {
      EXPECT_EQ(std::filesystem::exists(Data(folder) + "/store"), folder == name) << folder;
      std::filesystem::remove_all(Data(folder));
    }
  }

  fakes::TemporaryDirectory folder_;
};

// The batches in which a new device gets its copy.
int BatchesOfANewCopy(const ServerProcess& server) {
  const Client client(server);
  client.CreateTenant("acme");
  const std::string carer =
      client.Apply("acme", "rota", {fakes::CarerChange("ann"), fakes::ServiceUserChange("su")}).results(0).record_id();
  client.Apply("acme", "rota", fakes::LongVisitChanges(kLongVisits, "su", {"ann"}));
  const SyncCall call = Device(client, "acme", carer, "3f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f").Begin();
  int batches = 0;
  v1::SyncResponse response;
  while (!response.has_caught_up() && call.stream->Read(&response)) batches += response.has_changes() ? 1 : 0;
  call.context->TryCancel();
  call.stream->Finish();
  return batches;
}

TEST_F(OptionsTest, AreReadFromTheEnvironment) {
  ServerProcess server(Data("data"), {},
                       {{"CARESYNC_DATA_DIR", Data("data")},
                        {"CARESYNC_GRPC_LISTEN", kAnyPort},
                        {"CARESYNC_THREADS", "3"},
                        {"CARESYNC_BATCH_BYTES", "1024"},
                        {"CARESYNC_LOG_LEVEL", "error"}});
  EXPECT_GE(BatchesOfANewCopy(server), kLongVisits);
  EXPECT_EQ(server.Stop(), 0);
  EXPECT_EQ(server.LogLine({"stopped"}), "");
}

TEST_F(OptionsTest, AreReadFromAFile) {
  const std::string file = File("# Of the test.\ndata-dir=" + Data("data") + "\ngrpc-listen=" + kAnyPort +
                                "\nthreads=3\nbatch-bytes=1024\nlog-level=error\n");
  {
    ServerProcess server(Data("data"), {"--config", file}, {});
    EXPECT_GE(BatchesOfANewCopy(server), kLongVisits);
    EXPECT_EQ(server.Stop(), 0);
    EXPECT_EQ(server.LogLine({"stopped"}), "");
  }
  ServerProcess named_by_environment(Data("data"), {}, {{"CARESYNC_CONFIG", file}});
  EXPECT_EQ(named_by_environment.Stop(), 0);
}

// The reason why a tenant may not have this push webhook; empty where it may.
std::string ReasonOfWebhook(const ServerProcess& server, const std::string& url) {
  const Client client(server);
  client.CreateTenant("acme");
  v1::UpdateTenantRequest request;
  request.set_tenant_id("acme");
  request.mutable_push_webhook()->set_url(url);
  request.mutable_push_webhook()->set_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  v1::Tenant tenant;
  return ReasonOf(
      client.Call(client.tenants(), &v1::TenantService::Stub::UpdateTenant, AsOperator(), request, &tenant));
}

TEST_F(OptionsTest, SayWhereWebhooksMayPointTo) {
  constexpr char kUrl[] = "http://127.0.0.1:8080/push";
  const Environment both = {{"CARESYNC_GRPC_LISTEN", kAnyPort},
                            {"CARESYNC_DATA_DIR", Data("from-environment")},
                            {"CARESYNC_WEBHOOKS_ALLOW_HTTP", "true"},
                            {"CARESYNC_WEBHOOKS_ALLOW_PRIVATE", "true"}};
  EXPECT_EQ(ReasonOfWebhook(ServerProcess(Data("from-environment"), {}, both), kUrl), "");
  const std::string file = File("webhooks-allow-http=true\nwebhooks-allow-private=true\n");
  EXPECT_EQ(ReasonOfWebhook(ServerProcess(Data("from-file"), {"--config", file}), kUrl), "");
  EXPECT_EQ(ReasonOfWebhook(ServerProcess(Data("http-only"), {"--webhooks-allow-http"}), kUrl), "INVALID_FIELD");
  EXPECT_EQ(ReasonOfWebhook(ServerProcess(Data("private-only"), {"--webhooks-allow-private"}), kUrl), "INVALID_FIELD");
}

TEST_F(OptionsTest, OfTheCommandLineWinThenThoseOfTheFileThenThoseOfTheEnvironment) {
  const std::string file = File("data-dir=" + Data("from-file") + "\n");
  const Environment environment = {{"CARESYNC_DATA_DIR", Data("from-environment")}, {"CARESYNC_GRPC_LISTEN", kAnyPort}};
  ExpectUses("from-command-line", {"--config", file, "--data-dir", Data("from-command-line")}, environment);
  ExpectUses("from-file", {"--config", file}, environment);
  ExpectUses("from-environment", {}, environment);
}

TEST_F(OptionsTest, ThatAreWrongInTheEnvironmentAreRefusedByName) {
  const std::vector<std::pair<std::string, std::string>> bad = {{"CARESYNC_GRPC_LISTEN", "here"},
                                                                {"CARESYNC_THREADS", "0"},
                                                                {"CARESYNC_BATCH_BYTES", "1023"},
                                                                {"CARESYNC_LOG_LEVEL", "loud"},
                                                                {"CARESYNC_WEBHOOKS_ALLOW_HTTP", "perhaps"},
                                                                {"CARESYNC_WEBHOOKS_ALLOW_PRIVATE", "perhaps"},
                                                                {"CARESYNC_CONFIG", "/nonexistent/file"}};
  const std::vector<std::string> names = {
      "--grpc-listen", "--threads", "--batch-bytes", "--log-level", "--webhooks-allow-http", "--webhooks-allow-private",
      "--config"};
  for (size_t i = 0; i < bad.size(); ++i) {
    const Ended ended = RunToItsEnd({}, {bad[i]});
    EXPECT_EQ(ended.exit_code, 2) << bad[i].first;
    EXPECT_THAT(ended.error_output, HasSubstr(names[i]));
  }
}

TEST_F(OptionsTest, WhosePathIsEmptyAreRefusedByName) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> bad = {
      {{"--data-dir", ""}, "--data-dir"},
      {{"--config", File("data-dir=\n")}, "--data-dir"},
      {{"--config", ""}, "--config"},
      {{"--smtp-credentials", "", "--smtp-url", "smtp://127.0.0.1:1", "--smtp-from", "a@example.org"},
       "--smtp-credentials"}};
  for (const auto& [arguments, named] : bad) {
    const Ended ended = RunToItsEnd(arguments);
    EXPECT_EQ(ended.exit_code, 2) << named << ": " << ended.error_output;
    EXPECT_THAT(ended.error_output, HasSubstr(named));
  }
}

TEST_F(OptionsTest, WithASpaceAreReadFromAFileWithinQuotes) {
  const Ended bare = RunToItsEnd({"--config", File("data-dir=" + Data("my data") + "\n")});
  EXPECT_EQ(bare.exit_code, 2);
  EXPECT_THAT(bare.error_output, AllOf(HasSubstr("--data-dir"), HasSubstr("needs quotes")));
  ServerProcess server(Data("my data"),
                       {"--config", File("data-dir=\"" + Data("my data") + "\"\ngrpc-listen=" + kAnyPort + "\n")}, {});
  EXPECT_EQ(server.Stop(), 0);
  EXPECT_TRUE(std::filesystem::exists(Data("my data") + "/store"));
}

TEST_F(OptionsTest, ForOneStartCannotStandInAFile) {
  const Ended ended = RunToItsEnd({"--config", File("new-signing-key=true\n")});
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_THAT(ended.error_output, HasSubstr("new-signing-key"));
}

TEST_F(OptionsTest, OfTheMailServerThatAreWrongAreRefusedByName) {
  const std::string url = "smtp://mail.example.org";
  const std::string from = "caresync@example.org";
  const std::vector<std::pair<std::vector<std::string>, std::string>> bad = {
      {{"--smtp-url", url}, "--smtp-from"},
      {{"--smtp-from", from}, "--smtp-url"},
      {{"--smtp-url", "mail.example.org", "--smtp-from", from}, "--smtp-url"},
      {{"--smtp-url", url, "--smtp-from", "caresync"}, "--smtp-from"},
      {{"--smtp-url", url, "--smtp-from", from, "--smtp-credentials", File("hunter2\n")}, "--smtp-credentials"}};
  for (const auto& [arguments, named] : bad) {
    const Ended ended = RunToItsEnd(arguments);
    EXPECT_EQ(ended.exit_code, 2) << ended.error_output;
    EXPECT_THAT(ended.error_output, HasSubstr(named));
    EXPECT_EQ(ended.error_output.find("hunter2"), std::string::npos);
  }
}

TEST_F(OptionsTest, ThatAFileCannotHoldAreRefusedWithTheFilesName) {
  const std::vector<std::pair<std::string, std::string>> bad = {{"data-dir=/x\nnonsense=1\n", "\"nonsense\""},
                                                                {"no line of options\n", "\"no line of options\""},
                                                                {"config=/x\n", "config"},
                                                                {"version=true\n", "version"}};
  for (const auto& [content, named] : bad) {
    const std::string file = File(content);
    const Ended ended = RunToItsEnd({"--config", file});
    EXPECT_EQ(ended.exit_code, 2) << content;
    EXPECT_THAT(ended.error_output, AllOf(HasSubstr(file), HasSubstr(named), HasSubstr("name=value")));
    EXPECT_EQ(ended.error_output.find('\n'), ended.error_output.size() - 1) << ended.error_output;
  }
  const Ended out_of_range = RunToItsEnd({"--config", File("threads=0\n")});
  EXPECT_EQ(out_of_range.exit_code, 2);
  EXPECT_THAT(out_of_range.error_output, HasSubstr("--threads"));
}

}  // namespace
}  // namespace caresync::integration
