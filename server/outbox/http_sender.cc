#include "server/outbox/http_sender.h"

#include <curl/curl.h>
#include <sys/socket.h>

#include <optional>
#include <string>
#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/str_cat.h"
#include "server/base/version.h"
#include "server/outbox/curl_handle.h"

namespace caresync::outbox {
namespace {

// Woken by whatever happens; this is only how long it would take to notice that it was not.
constexpr int kPollMilliseconds = 1'000;

bool IsTaken(long status) { return status >= 200 && status < 300; }

CURLM* NewMulti() {
  UseCurl();
  CURLM* multi = curl_multi_init();
  ABSL_RAW_CHECK(multi != nullptr, "no memory for libcurl");
  return multi;
}

}  // namespace

// One send. Everything in it stays where it is until it is done: libcurl points to it.
struct HttpSender::Transfer {
  Transfer(Waiting waiting, const WebhookRules& rules, const HttpBounds& bounds)
      : request(std::move(waiting.request)),
        done(std::move(waiting.done)),
        rules(rules),
        bounds(bounds),
        handle(bounds.time, bounds.connect) {
    SetUp();
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  void SetUp() {
    headers.Add("Content-Type: application/json");
    // Nothing that is sent is worth a wait for the leave to send it.
    headers.Add("Expect:");
    for (const std::string& header : request.headers) headers.Add(header);
    handle.Set(CURLOPT_URL, request.url.c_str());
    handle.Set(CURLOPT_PROTOCOLS_STR, rules.allow_http ? "http,https" : "https");
    handle.Set(CURLOPT_HTTPHEADER, headers.get());
    handle.Set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    handle.Set(CURLOPT_POSTFIELDS, request.body.c_str());
    handle.Set(CURLOPT_USERAGENT, absl::StrCat("caresync/", base::kVersion).c_str());
    handle.Set(CURLOPT_FOLLOWLOCATION, 0L);
    // One request on a connection has no use for more.
    handle.Set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    handle.Set(CURLOPT_FRESH_CONNECT, 1L);
    handle.Set(CURLOPT_FORBID_REUSE, 1L);
    handle.Set(CURLOPT_OPENSOCKETFUNCTION, &OpenSocket);
    handle.Set(CURLOPT_OPENSOCKETDATA, this);
    handle.Set(CURLOPT_HEADERFUNCTION, &Count);
    handle.Set(CURLOPT_HEADERDATA, this);
    handle.Set(CURLOPT_WRITEFUNCTION, &Count);
    handle.Set(CURLOPT_WRITEDATA, this);
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
    const long status = handle.Answer();
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
    return handle.WhyNot(code);
  }

  const SendRequest request;
  const SendDone done;
  const WebhookRules& rules;
  const HttpBounds& bounds;
  // libcurl reads the headers until the handle is gone.
  CurlList headers;
  CurlHandle handle;
  size_t answer_bytes = 0;
  // Some, of those that its name stands for.
  bool address_refused = false;
  bool address_allowed = false;
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
      queued_.push_back({std::move(request), std::move(done)});
      curl_multi_wakeup(multi_);
      return;
    }
  }
  done({SendOutcome::kNotTried, "too many others are being sent"});
}

void HttpSender::RunThread() {
  while (std::optional<std::deque<Waiting>> taken = TakeQueued()) {
    for (Waiting& waiting : *taken) Begin(std::move(waiting));
    int running = 0;
    curl_multi_perform(multi_, &running);
    if (EndDone()) continue;
    curl_multi_poll(multi_, nullptr, 0, kPollMilliseconds, nullptr);
  }
}

std::optional<std::deque<HttpSender::Waiting>> HttpSender::TakeQueued() {
  storage::MutexLock lock(mutex_);
  if (stopping_) return std::nullopt;
  std::deque<Waiting> taken;
  while (!queued_.empty() && under_way_.size() + taken.size() < bounds_.at_once) {
    taken.push_back(std::move(queued_.front()));
    queued_.pop_front();
  }
  return taken;
}

void HttpSender::Begin(Waiting waiting) {
  auto transfer = std::make_unique<Transfer>(std::move(waiting), rules_, bounds_);
  CURL* const easy = transfer->handle.get();
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
