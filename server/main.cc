// caresyncd: the server. The one place that names an engine, a port, a thread count.
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "observability/log.h"
#include "server/access/signing_key.h"
#include "server/access/token_verifier.h"
#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/executor.h"
#include "server/base/host_port.h"
#include "server/base/limits.h"
#include "server/base/random.h"
#include "server/base/sealed_token.h"
#include "server/base/signals.h"
#include "server/base/status_macros.h"
#include "server/base/version.h"
#include "server/commit/head_memo.h"
#include "server/commit/sequencer.h"
#include "server/commit/store_identity.h"
#include "server/commit/subscriptions.h"
#include "server/commit/tasks.h"
#include "server/commit/timeline.h"
#include "server/deliveries/entries.h"
#include "server/deliveries/keeping.h"
#include "server/deliveries/mark_teller.h"
#include "server/devices/device_registry.h"
#include "server/devices/wakes.h"
#include "server/feed/feed_compaction.h"
#include "server/feed/feed_writer.h"
#include "server/mismatch/integration_lag.h"
#include "server/mismatch/look_again.h"
#include "server/mismatch/looks.h"
#include "server/mismatch/visit_changes.h"
#include "server/notifications/notices.h"
#include "server/notifications/overdue.h"
#include "server/notifications/raises.h"
#include "server/notifications/telling.h"
#include "server/outbox/dispatcher.h"
#include "server/outbox/http_sender.h"
#include "server/outbox/smtp_mailer.h"
#include "server/outbox/webhook_rules.h"
#include "server/records/closing_edge_allowance.h"
#include "server/records/fan_out.h"
#include "server/records/review_resolution.h"
#include "server/records/window.h"
#include "server/roster/apply_changes.h"
#include "server/rpc/edge.h"
#include "server/rpc/server.h"
#include "server/sync/admission.h"
#include "server/sync/live_sessions.h"
#include "server/sync/session_driver.h"
#include "server/sync/unrecorded_ends.h"
#include "storage/rocks_store.h"

namespace caresync {
namespace {

using observability::Level;
using observability::Log;

constexpr int kBadOptions = 2;
constexpr int kCannotStart = 1;
constexpr int kStoreFailed = 1;
// Far more than any machine has use for: a slip of the finger is refused, and not tried.
constexpr int kMostThreads = 1'024;
// A few small records: with less, most of a batch would be its token.
constexpr size_t kLeastBatchBytes = 1'024;
constexpr timespec kHealthCheckEvery = {.tv_sec = 1, .tv_nsec = 0};

struct Options {
  std::string data_dir = "./data";
  std::string grpc_listen = "127.0.0.1:7443";
  // Work waits for the disk now and then: on one core, too, two pieces should be able to.
  int threads = std::max(2, static_cast<int>(std::thread::hardware_concurrency()));
  size_t batch_bytes = base::limits::kBatchBytes;
  std::string log_level = "info";
  outbox::WebhookRules webhooks;
  // Its URL is empty: no e-mail is sent.
  outbox::SmtpServer smtp;
  std::string smtp_credentials;
  // Of a store that has lost its key: another one is made.
  bool new_signing_key = false;
  // The names of those that were given, wherever; never their values.
  std::string given;
};

std::string HostOf(const std::string& address) { return address.substr(0, address.rfind(':')); }

// What CLI11 shows where it is not empty.
std::string CheckAddress(const std::string& address) { return base::WrongHostPort(address, /*least_port=*/0); }

std::string CheckNotEmpty(const std::string& value) { return value.empty() ? "is empty; name one" : ""; }

// CLI11's own words name neither the file nor what it may hold.
std::string WhatIsWrongInFile(const CLI::App& app, const CLI::ConfigError& error) {
  std::string line = error.what();
  if (constexpr std::string_view kOwnWords = "INI was not able to parse "; line.rfind(kOwnWords, 0) == 0) {
    line = absl::StrCat("\"", line.substr(kOwnWords.size()), "\" is no option");
  }
  return absl::StrCat(app["--config"]->as<std::string>(), ": ", line,
                      "; a line is name=value, with the name of an option without its dashes");
}

std::string NamesOfThoseGiven(const CLI::App& app) {
  std::string names;
  for (const CLI::Option* const option : app.get_options()) {
    if (option->count() > 0) absl::StrAppend(&names, names.empty() ? "" : ",", option->get_name());
  }
  return names;
}

// An exit code where the process ends at once.
std::optional<int> ParseOptions(int argc, char** argv, Options& options) {
  CLI::App app("caresyncd: the sync server of caresync");
  app.set_version_flag("--version", absl::StrCat("caresyncd ", base::kVersion));
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.set_config("--config", "", "A file of options, as name=value lines")
      ->envname("CARESYNC_CONFIG")
      ->check(CLI::ExistingFile);
  app.add_option("--data-dir", options.data_dir, "Where everything is kept; made if absent")
      ->envname("CARESYNC_DATA_DIR")
      ->check(CLI::Validator(CheckNotEmpty, "FOLDER"))
      ->capture_default_str();
  app.add_option("--grpc-listen", options.grpc_listen, "HOST:PORT for gRPC; port 0: any free one")
      ->envname("CARESYNC_GRPC_LISTEN")
      ->check(CLI::Validator(CheckAddress, "HOST:PORT"))
      ->capture_default_str();
  app.add_option("--threads", options.threads, "Threads that do the work")
      ->envname("CARESYNC_THREADS")
      ->check(CLI::Range(1, kMostThreads))
      ->capture_default_str();
  app.add_option("--batch-bytes", options.batch_bytes, "Bytes of one batch to a device; smaller for bad networks")
      ->envname("CARESYNC_BATCH_BYTES")
      ->check(CLI::Range(kLeastBatchBytes, base::limits::kBatchBytes))
      ->capture_default_str();
  app.add_flag("--webhooks-allow-http", options.webhooks.allow_http, "Webhooks may be sent without TLS")
      ->envname("CARESYNC_WEBHOOKS_ALLOW_HTTP");
  app.add_flag("--webhooks-allow-private", options.webhooks.allow_private,
               "Webhooks may be sent to loopback, private and link-local addresses")
      ->envname("CARESYNC_WEBHOOKS_ALLOW_PRIVATE");
  CLI::Option* smtp = app.add_option("--smtp-url", options.smtp.url,
                                     "The mail server that notifications are sent by: smtp://HOST:PORT, or smtps://");
  smtp->envname("CARESYNC_SMTP_URL");
  CLI::Option* from = app.add_option("--smtp-from", options.smtp.from, "The address that e-mail comes from");
  from->envname("CARESYNC_SMTP_FROM")->needs(smtp);
  smtp->needs(from);
  app.add_option("--smtp-credentials", options.smtp_credentials,
                 "A file with USER:PASSWORD for the mail server; nothing is sent without TLS then")
      ->envname("CARESYNC_SMTP_CREDENTIALS")
      ->needs(smtp)
      ->check(CLI::ExistingFile);
  // Neither in a file nor in the environment: it is for one start.
  app.add_flag("--new-signing-key", options.new_signing_key,
               "Make another signing key where the store's is lost; all tokens are void then")
      ->configurable(false);
  app.add_option("--log-level", options.log_level, "The least level that is logged")
      ->envname("CARESYNC_LOG_LEVEL")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {
    return app.exit(asked);
  } catch (const CLI::ConfigError& error) {
    std::cerr << "caresyncd: " << WhatIsWrongInFile(app, error) << " (see caresyncd --help)" << std::endl;
    return kBadOptions;
  } catch (const CLI::ArgumentMismatch& error) {
    std::cerr << "caresyncd: " << error.what() << "; a value with a space needs quotes, in a file too"
              << " (see caresyncd --help)" << std::endl;
    return kBadOptions;
  } catch (const CLI::Error& error) {
    std::cerr << "caresyncd: " << error.what() << " (see caresyncd --help)" << std::endl;
    return kBadOptions;
  }
  options.given = NamesOfThoseGiven(app);
  return std::nullopt;
}

Level LevelFrom(const std::string& name) {
  if (name == "debug") return Level::kDebug;
  if (name == "warning") return Level::kWarning;
  if (name == "error") return Level::kError;
  return Level::kInfo;
}

// What is wrong with how mail is to be sent; empty: nothing. Reads the file of credentials.
std::string PrepareMail(Options& options) {
  outbox::SmtpServer& smtp = options.smtp;
  if (smtp.url.empty()) return "";
  if (const absl::Status status = outbox::CheckSmtpServer(smtp); !status.ok()) return std::string(status.message());
  if (options.smtp_credentials.empty()) return "";
  std::string line;
  std::getline(std::ifstream(options.smtp_credentials), line);
  const size_t colon = line.find(':');
  if (colon == std::string::npos || colon == 0) {
    return absl::StrCat("--smtp-credentials ", options.smtp_credentials, ": its first line is not USER:PASSWORD");
  }
  smtp.user = line.substr(0, colon);
  smtp.password = line.substr(colon + 1);
  return "";
}

// Readable by nobody else: see Run.
absl::Status MakeFolder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!error && !std::filesystem::is_directory(folder, error)) error = std::make_error_code(std::errc::not_a_directory);
  return error ? base::errors::DataFolderNotUsable(folder.string(), error.message()) : absl::OkStatus();
}

std::filesystem::path DataFolder(const Options& options) {
  const std::filesystem::path data = std::filesystem::absolute(options.data_dir).lexically_normal() / "";
  return data.parent_path();
}

// Only a store that is new gets its key without being asked: the tokens that phones and rostering systems hold were
// signed by the one that there was.
absl::StatusOr<std::shared_ptr<const access::SigningKey>> OpenSigningKey(const storage::Store& store,
                                                                         const std::string& file, bool make_another) {
  ASSIGN_OR_RETURN(const bool had_one, commit::HasIdentity(store));
  if (!had_one) return access::SigningKey::OpenOrCreate(file);
  absl::StatusOr<std::shared_ptr<const access::SigningKey>> key = access::SigningKey::Open(file);
  if (!absl::IsNotFound(key.status())) return key;
  if (!make_another) return base::errors::SigningKeyLost(file);
  key = access::SigningKey::OpenOrCreate(file);
  if (key.ok()) Log(Level::kWarning, "signing_key_replaced", {{"file", file}, {"void", "all tokens made before"}});
  return key;
}

// The parts of a running server, in the order in which they stand on each other.
class Node {
 public:
  static absl::StatusOr<std::unique_ptr<Node>> Start(const Options& options) {
    const std::filesystem::path folder = DataFolder(options);
    RETURN_IF_ERROR(MakeFolder(folder));
    RETURN_IF_ERROR(MakeFolder(folder / "keys"));
    // The store first: it is what a second process on the same folder is refused by.
    ASSIGN_OR_RETURN(std::unique_ptr<storage::RocksStore> store,
                     storage::RocksStore::Open((folder / "store").string()));
    ASSIGN_OR_RETURN(std::shared_ptr<const access::SigningKey> key,
                     OpenSigningKey(*store, (folder / "keys" / "signing_key.json").string(), options.new_signing_key));
    base::SystemClock clock;
    base::SystemRandom random;
    ASSIGN_OR_RETURN(const store::StoreIdentity identity, commit::LoadOrCreateIdentity(*store, random, clock));
    std::unique_ptr<Node> node(new Node(options, std::move(store), std::move(key), identity));
    RETURN_IF_ERROR(node->Begin(options));
    return node;
  }

  ~Node() {
    // Calls get their answer while there is a server to give it.
    if (!store_->Failure().ok()) sequencer_.GiveUpSettling();
    server_.reset();
    tasks_.Stop();
    sequencer_.WaitUntilIdle();
    // Nothing hands them anything any more; what they told just before is still committed.
    sender_.reset();
    mailer_.reset();
    sequencer_.WaitUntilIdle();
    WaitForCommits();
    executor_.reset();
  }

  int port() const { return server_->port(); }
  absl::Time store_made() const { return made_; }
  // This opening of the store.
  const std::string& timeline() const { return opening_; }
  absl::Status StoreFailure() const { return store_->Failure(); }
  bool TellHealth() { return server_->TellHealth(); }
  absl::Status Health() const { return store_->Health(); }

 private:
  Node(const Options& options, std::unique_ptr<storage::RocksStore> store,
       std::shared_ptr<const access::SigningKey> key, const store::StoreIdentity& identity)
      : store_(std::move(store)),
        made_(base::FromStoredTime(identity.create_time_us())),
        sealer_(identity.token_key()),
        executor_(std::make_unique<base::ThreadExecutor>(options.threads)),
        opening_(commit::NewTimeline(random_)),
        opened_(clock_.Monotonic()),
        sequencer_(*store_, clock_, random_, *executor_, subscriptions_, opening_),
        closing_edge_(clock_),
        tasks_(*store_, sequencer_, clock_, *executor_),
        sender_(std::make_unique<outbox::HttpSender>(options.webhooks)),
        mailer_(options.smtp.url.empty() ? nullptr : std::make_unique<outbox::SmtpMailer>(options.smtp)),
        dispatcher_(sequencer_, clock_, random_, *sender_, mailer_.get()),
        registry_(*store_, clock_, *executor_),
        admission_(*executor_, random_, clock_),
        verifier_(std::move(key), clock_),
        edge_{.store = *store_,
              .clock = clock_,
              .executor = *executor_,
              .sequencer = sequencer_,
              .subscriptions = subscriptions_,
              .sealer = sealer_,
              .verifier = verifier_,
              .devices = registry_,
              .sync = {.store = *store_,
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
                       .opening = opening_,
                       .batch_bytes = options.batch_bytes,
                       .opened = opened_,
                       .teller = &teller_},
              .webhooks = options.webhooks,
              .sends_email = mailer_ != nullptr},
        syncs_under_way_(sync::SyncsOf(edge_.sync)) {}

  absl::Status Begin(const Options& options) {
    // What is noted of visits may open a mismatch, which is to be told; what moved of them in feeds is kept.
    sequencer_.SetRider([note = mismatch::NotingVisitChanges(lag_)](commit::Transaction& transaction) -> absl::Status {
      RETURN_IF_ERROR(note(transaction));
      RETURN_IF_ERROR(deliveries::NoteVisitEntries(transaction));
      return notifications::NoteRaises(transaction);
    });
    records::RegisterFanOuts(tasks_);
    roster::RegisterTasks(tasks_);
    tasks_.Register(records::kWindowTask, records::WindowStep(closing_edge_), commit::TaskWaiters::kSome);
    tasks_.Register(feed::kCompactionTask, feed::CompactionStep);
    tasks_.Register(records::kReviewTask, records::ReviewStep);
    tasks_.Register(mismatch::kLookTask, mismatch::LookStep(clock_, opened_, syncs_under_way_));
    tasks_.Register(mismatch::kLookAgainTask, mismatch::LookAgainStep);
    tasks_.Register(deliveries::kKeepTask, deliveries::KeepStep);
    tasks_.Register(notifications::kOverdueTask, notifications::OverdueStep(random_));
    tasks_.Register(notifications::kTellTask, notifications::TellStep(random_, syncs_under_way_));
    dispatcher_.Register(devices::kPushNotice, devices::PushNotices());
    notifications::RegisterNotices(dispatcher_);
    tasks_.Register(outbox::kOutboxTask, dispatcher_.Step());
    RETURN_IF_ERROR(tasks_.Start());
    RETURN_IF_ERROR(TakeUpWhatIsLeft());
    ASSIGN_OR_RETURN(server_, rpc::Server::Start(options.grpc_listen, edge_));
    return absl::OkStatus();
  }

  // What was acknowledged, and the server ended before it could do what follows of that.
  absl::Status TakeUpWhatIsLeft() {
    ASSIGN_OR_RETURN(const std::unique_ptr<storage::Snapshot> snapshot, store_->NewSnapshot());
    RETURN_IF_ERROR(mismatch::SweepAtStart(*snapshot, sequencer_));
    return teller_.TellAtStart(*snapshot);
  }

  // A session that was taken over ends while a commit of its own may still be under way: it must be told before the
  // executor goes. Commits are done in the order in which they came.
  void WaitForCommits() {
    std::promise<void> done;
    store_->Apply({.preconditions = {}, .writes = {}, .durability = storage::Durability::kBuffered},
                  [&done](const storage::CommitResult&) { done.set_value(); });
    done.get_future().wait();
  }

  base::SystemClock clock_;
  base::SystemRandom random_;
  std::unique_ptr<storage::RocksStore> store_;
  // When the store was.
  const absl::Time made_;
  const base::TokenSealer sealer_;
  std::unique_ptr<base::ThreadExecutor> executor_;
  // This opening of the store: its timeline, and when it was by the monotonic clock.
  const std::string opening_;
  const absl::Duration opened_;
  commit::Subscriptions subscriptions_;
  mismatch::IntegrationLag lag_{clock_};
  commit::Sequencer sequencer_;
  deliveries::MarkTeller teller_{sequencer_, *executor_};
  records::ClosingEdgeAllowance closing_edge_;
  commit::TaskRunner tasks_;
  std::unique_ptr<outbox::HttpSender> sender_;
  // nullptr: no e-mail is sent.
  std::unique_ptr<outbox::SmtpMailer> mailer_;
  outbox::Dispatcher dispatcher_;
  devices::DeviceRegistry registry_;
  sync::LiveSessions live_;
  sync::Admission admission_;
  commit::HeadMemo memo_{base::limits::kHeadMemoBytes};
  access::TokenVerifier verifier_;
  rpc::Edge edge_;
  const devices::SyncsUnderWay syncs_under_way_;
  std::unique_ptr<rpc::Server> server_;
};

// Returns the exit code when somebody asks the server to stop, or its store has failed for good.
int WaitForTheEnd(Node& node, const sigset_t& signals) {
  while (true) {
    const int signal = sigtimedwait(&signals, nullptr, &kHealthCheckEvery);
    if (signal > 0) {
      Log(Level::kInfo, "stopping", {{"signal", strsignal(signal)}});
      return 0;
    }
    if (const absl::Status failure = node.StoreFailure(); !failure.ok()) {
      Log(Level::kError, "store_failed", {{"error", failure.message()}});
      return kStoreFailed;
    }
    if (node.TellHealth()) Log(Level::kWarning, "health_changed", {{"store", node.Health().ToString()}});
  }
}

// What one wants to know first of a server that went wrong. Values of options may be secrets: their names only.
void LogStart(const Node& node, const Options& options, const std::string& address) {
  Log(Level::kInfo, "started",
      {{"version", base::kVersion},
       {"listening", address},
       {"data", DataFolder(options).string()},
       {"store_made", absl::FormatTime(absl::RFC3339_sec, node.store_made(), absl::UTCTimeZone())},
       {"timeline", node.timeline()},
       {"options", options.given.empty() ? "none" : options.given}});
}

int Run(int argc, char** argv) {
  Options options;
  if (const std::optional<int> code = ParseOptions(argc, argv, options); code.has_value()) return *code;
  if (const std::string wrong = PrepareMail(options); !wrong.empty()) {
    std::cerr << "caresyncd: " << wrong << " (see caresyncd --help)" << std::endl;
    return kBadOptions;
  }
  // What carers see and the key that signs credentials: all files that are made, the database's own included.
  umask(S_IRWXG | S_IRWXO);
  observability::SetLevel(LevelFrom(options.log_level));
  const sigset_t signals = base::BlockSignals();
  absl::StatusOr<std::unique_ptr<Node>> node = Node::Start(options);
  if (!node.ok()) {
    std::cerr << "caresyncd: " << node.status().message() << std::endl;
    return kCannotStart;
  }
  const std::string address = absl::StrCat(HostOf(options.grpc_listen), ":", (*node)->port());
  // Before anybody is told that it is there.
  LogStart(**node, options, address);
  std::cout << "caresyncd listening on " << address << std::endl;
  const int code = WaitForTheEnd(**node, signals);
  node->reset();
  Log(Level::kInfo, "stopped");
  return code;
}

}  // namespace
}  // namespace caresync

int main(int argc, char** argv) { return caresync::Run(argc, argv); }
