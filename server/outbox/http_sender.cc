#include "server/outbox/http_sender.h"

#include <curl/curl.h>
#include <sys/socket.h>

#include <array>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/str_cat.h"

namespace caresync::outbox {
namespace {

// Woken by whatever happens; this is only how long it would take to notice that it was not.
constexpr int kPollMilliseconds = 1'000;

constexpr char kAgent[] = "caresync/0.1.0";

bool IsTaken(long status) { return status >= 200 && status < 300; }

CURLM* NewMulti() {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  ABSL_RAW_CHECK(ready == CURLE_OK, "libcurl cannot be used");
  CURLM* multi = curl_multi_init();
  ABSL_RAW_CHECK(multi != nullptr, "no memory for libcurl");
  return multi;
}

}  // namespace

// One send. Everything in it stays where it is until it is done: libcurl points to it.
struct HttpSender::Transfer {
  Transfer(SendRequest request, SendDone done, const WebhookRules& rules, const HttpBounds& bounds)
      : request(std::move(request)), done(std::move(done)), rules(rules), bounds(bounds) {}
  ~Transfer() {
    curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  template <typename Value>
  void Set(CURLoption option, Value value) {
    ABSL_RAW_CHECK(curl_easy_setopt(easy, option, value) == CURLE_OK, "libcurl lacks an option that it must have");
  }

  void AddHeader(const std::string& header) {
    curl_slist* longer = curl_slist_append(headers, header.c_str());
    ABSL_RAW_CHECK(longer != nullptr, "no memory for libcurl");
    headers = longer;
  }

  void SetUp() {
    easy = curl_easy_init();
    ABSL_RAW_CHECK(easy != nullptr, "no memory for libcurl");
    AddHeader("Content-Type: application/json");
    // Nothing that is sent is worth a wait for the leave to send it.
    AddHeader("Expect:");
    for (const std::string& header : request.headers) AddHeader(header);
    Set(CURLOPT_URL, request.url.c_str());
    Set(CURLOPT_PROTOCOLS_STR, rules.allow_http ? "http,https" : "https");
    Set(CURLOPT_HTTPHEADER, headers);
    Set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    Set(CURLOPT_POSTFIELDS, request.body.c_str());
    Set(CURLOPT_USERAGENT, kAgent);
    Set(CURLOPT_FOLLOWLOCATION, 0L);
    // One request on a connection has no use for more.
    Set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    // The trusted certificates come from the one file that holds them all: with a folder of them beside it libcurl
    // reads that file for every send, ten times the work of the send itself, and not once a day.
    Set(CURLOPT_CAPATH, nullptr);
    // A proxy, of the environment even, would be what is connected to.
    Set(CURLOPT_PROXY, "");
    Set(CURLOPT_NOSIGNAL, 1L);
    // A look-up of a name cannot be broken off: without this, the end of one send waits for its own and holds up all
    // others. It goes on by itself, and cleans up after itself.
    Set(CURLOPT_QUICK_EXIT, 1L);
    Set(CURLOPT_FRESH_CONNECT, 1L);
    Set(CURLOPT_FORBID_REUSE, 1L);
    Set(CURLOPT_TIMEOUT_MS, static_cast<long>(absl::ToInt64Milliseconds(bounds.time)));
    Set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(absl::ToInt64Milliseconds(bounds.connect)));
    Set(CURLOPT_ERRORBUFFER, error.data());
    Set(CURLOPT_OPENSOCKETFUNCTION, &OpenSocket);
    Set(CURLOPT_OPENSOCKETDATA, this);
    Set(CURLOPT_HEADERFUNCTION, &Count);
    Set(CURLOPT_HEADERDATA, this);
    Set(CURLOPT_WRITEFUNCTION, &Count);
    Set(CURLOPT_WRITEDATA, this);
  }

  // libcurl has looked the name up by now, and this is the address that it takes.
  static curl_socket_t OpenSocket(void* self, curlsocktype /*purpose*/, curl_sockaddr* address) {
    auto& transfer = *static_cast<Transfer*>(self);
    if (!transfer.rules.allow_private && !IsPublicAddress(address->addr)) {
      transfer.address_refused = true;
      return CURL_SOCKET_BAD;
    }
    transfer.address_allowed = true;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  }

  // The answer itself says nothing that is wanted.
  static size_t Count(char* /*bytes*/, size_t size, size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    transfer.answer_bytes += size * count;
    return transfer.answer_bytes > transfer.bounds.answer_bytes ? 0 : size * count;
  }

  SendResult ResultOf(CURLcode code) const {
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    // The receiver's word, whatever becomes of the rest of its answer.
    if (IsTaken(status)) return {SendOutcome::kTaken, ""};
    return {SendOutcome::kFailed, WhyNot(code, status)};
  }

  std::string WhyNot(CURLcode code, long status) const {
    if (status >= 300 && status < 400) {
      return absl::StrCat("answered ", status, ", a redirect, which is not followed: give the URL that it leads to");
    }
    // What comes before an answer (1xx) is none.
    if (status >= 200 || code == CURLE_OK) return absl::StrCat("answered ", status);
    // Where one of several addresses was allowed, that one's failure is what came of it.
    if (address_refused && !address_allowed) {
      return "its name stands for an address that the Internet does not reach, and caresyncd was not started with "
             "--webhooks-allow-private";
    }
    if (code == CURLE_OPERATION_TIMEDOUT) {
      return absl::StrCat("no answer within ", absl::FormatDuration(bounds.time));
    }
    return error[0] != '\0' ? std::string(error.data()) : std::string(curl_easy_strerror(code));
  }

  const SendRequest request;
  const SendDone done;
  const WebhookRules& rules;
  const HttpBounds& bounds;
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  size_t answer_bytes = 0;
  // Some, of those that its name stands for.
  bool address_refused = false;
  bool address_allowed = false;
  std::array<char, CURL_ERROR_SIZE> error{};
};

HttpSender::HttpSender(const WebhookRules& rules, const HttpBounds& bounds)
    : rules_(rules), bounds_(bounds), multi_(NewMulti()), thread_([this] { RunThread(); }) {}

HttpSender::~HttpSender() {
  {
    storage::MutexLock lock(mutex_);
    stopping_ = true;
  }
  curl_multi_wakeup(multi_);
  thread_.join();
  for (const auto& [easy, transfer] : under_way_) curl_multi_remove_handle(multi_, easy);
  under_way_.clear();
  curl_multi_cleanup(multi_);
}

void HttpSender::Send(SendRequest request, SendDone done) {
  {
    storage::MutexLock lock(mutex_);
    if (queued_.size() < bounds_.queued) {
      queued_.push_back(std::make_unique<Transfer>(std::move(request), std::move(done), rules_, bounds_));
      curl_multi_wakeup(multi_);
      return;
    }
  }
  done({SendOutcome::kNotTried, "too many others are being sent"});
}

void HttpSender::RunThread() {
  while (std::optional<Transfers> taken = TakeQueued()) {
    for (std::unique_ptr<Transfer>& transfer : *taken) Begin(std::move(transfer));
    int running = 0;
    curl_multi_perform(multi_, &running);
    if (EndDone()) continue;
    curl_multi_poll(multi_, nullptr, 0, kPollMilliseconds, nullptr);
  }
}

std::optional<HttpSender::Transfers> HttpSender::TakeQueued() {
  storage::MutexLock lock(mutex_);
  if (stopping_) return std::nullopt;
  Transfers taken;
  while (!queued_.empty() && under_way_.size() + taken.size() < bounds_.at_once) {
    taken.push_back(std::move(queued_.front()));
    queued_.pop_front();
  }
  return taken;
}

void HttpSender::Begin(std::unique_ptr<Transfer> transfer) {
  transfer->SetUp();
  CURL* const easy = transfer->easy;
  under_way_.emplace(easy, std::move(transfer));
  ABSL_RAW_CHECK(curl_multi_add_handle(multi_, easy) == CURLM_OK, "libcurl does not take a transfer");
}

bool HttpSender::EndDone() {
  bool any = false;
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    any = true;
    CURL* const easy = message->easy_handle;
    const CURLcode code = message->data.result;
    curl_multi_remove_handle(multi_, easy);
    const auto found = under_way_.find(easy);
    const std::unique_ptr<Transfer> transfer = std::move(found->second);
    under_way_.erase(found);
    transfer->done(transfer->ResultOf(code));
  }
  return any;
}

}  // namespace caresync::outbox
