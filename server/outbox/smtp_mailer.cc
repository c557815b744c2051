#include "server/outbox/smtp_mailer.h"

#include <curl/curl.h>

#include <array>
#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "server/base/errors.h"
#include "server/outbox/email_address.h"

namespace caresync::outbox {
namespace {

void Initialize() {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  ABSL_RAW_CHECK(ready == CURLE_OK, "libcurl cannot be used");
}

std::string OneLine(std::string text) {
  for (char& c : text) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) c = ' ';
  }
  return text;
}

// RFC 5322, section 3.3.
std::string DateText(absl::Time time) {
  return absl::FormatTime("%a, %d %b %Y %H:%M:%S +0000", time, absl::UTCTimeZone());
}

std::string DomainOf(const std::string& address) { return address.substr(address.rfind('@') + 1); }

}  // namespace

// One e-mail. Everything in it stays where it is until it is done: libcurl points to it.
class SmtpMailer::Transfer {
 public:
  Transfer(const SmtpServer& server, const SmtpBounds& bounds, const std::atomic<bool>& stopping)
      : bounds_(bounds), stopping_(stopping), easy_(curl_easy_init()) {
    ABSL_RAW_CHECK(easy_ != nullptr, "no memory for libcurl");
    Set(CURLOPT_URL, server.url.c_str());
    Set(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    Set(CURLOPT_USE_SSL, static_cast<long>(server.user.empty() ? CURLUSESSL_TRY : CURLUSESSL_ALL));
    if (!server.user.empty()) {
      Set(CURLOPT_USERNAME, server.user.c_str());
      Set(CURLOPT_PASSWORD, server.password.c_str());
    }
    Set(CURLOPT_MAIL_FROM, absl::StrCat("<", server.from, ">").c_str());
    // A proxy of the environment is for other things.
    Set(CURLOPT_PROXY, "");
    Set(CURLOPT_NOSIGNAL, 1L);
    // A look-up of a name cannot be broken off: it goes on by itself, and cleans up after itself.
    Set(CURLOPT_QUICK_EXIT, 1L);
    Set(CURLOPT_TIMEOUT_MS, static_cast<long>(absl::ToInt64Milliseconds(bounds.time)));
    Set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(absl::ToInt64Milliseconds(bounds.connect)));
    Set(CURLOPT_ERRORBUFFER, error_.data());
    Set(CURLOPT_NOPROGRESS, 0L);
    Set(CURLOPT_XFERINFOFUNCTION, &IsToEnd);
    Set(CURLOPT_XFERINFODATA, this);
    Set(CURLOPT_WRITEFUNCTION, &PassOver);
  }
  ~Transfer() {
    curl_easy_cleanup(easy_);
    curl_mime_free(mime_);
    curl_slist_free_all(headers_);
    curl_slist_free_all(to_);
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  SendResult Send(const Mail& mail, const std::string& from) {
    // Addresses were checked when they were set. One that was not must not end a line of the dialogue.
    if (!IsEmailAddress(mail.to)) return {SendOutcome::kFailed, "no e-mail address"};
    Append(to_, absl::StrCat("<", mail.to, ">"));
    Set(CURLOPT_MAIL_RCPT, to_);
    for (const std::string& header :
         {absl::StrCat("Date: ", DateText(mail.time)), absl::StrCat("From: <", from, ">"),
          absl::StrCat("To: <", mail.to, ">"), absl::StrCat("Subject: ", OneLine(mail.subject)),
          absl::StrCat("Message-ID: <", OneLine(mail.id), "@", DomainOf(from), ">"),
          std::string("Auto-Submitted: auto-generated")}) {
      Append(headers_, header);
    }
    Set(CURLOPT_HTTPHEADER, headers_);
    SetText(absl::StrReplaceAll(mail.text, {{"\n", "\r\n"}}));
    return ResultOf(curl_easy_perform(easy_));
  }

 private:
  template <typename Value>
  void Set(CURLoption option, Value value) {
    ABSL_RAW_CHECK(curl_easy_setopt(easy_, option, value) == CURLE_OK, "libcurl lacks an option that it must have");
  }

  static void Append(curl_slist*& list, const std::string& text) {
    curl_slist* longer = curl_slist_append(list, text.c_str());
    ABSL_RAW_CHECK(longer != nullptr, "no memory for libcurl");
    list = longer;
  }

  void SetText(const std::string& text) {
    mime_ = curl_mime_init(easy_);
    curl_mimepart* part = curl_mime_addpart(mime_);
    const bool set = part != nullptr && curl_mime_data(part, text.data(), text.size()) == CURLE_OK &&
                     curl_mime_type(part, "text/plain; charset=utf-8") == CURLE_OK &&
                     curl_mime_encoder(part, "quoted-printable") == CURLE_OK;
    ABSL_RAW_CHECK(set, "no memory for libcurl");
    Set(CURLOPT_MIMEPOST, mime_);
  }

  static int IsToEnd(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<Transfer*>(self)->stopping_ ? 1 : 0;
  }
  // What the server says beside its codes would go to the standard output.
  static size_t PassOver(char* /*bytes*/, size_t size, size_t count, void* /*self*/) { return size * count; }

  SendResult ResultOf(CURLcode code) const {
    if (code == CURLE_OK) return {SendOutcome::kTaken, ""};
    long answer = 0;
    curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &answer);
    if (code == CURLE_OPERATION_TIMEDOUT) {
      return {SendOutcome::kFailed,
              absl::StrCat("the mail server did not take it within ", absl::FormatDuration(bounds_.time))};
    }
    if (answer >= 400) return {SendOutcome::kFailed, absl::StrCat("the mail server answered ", answer)};
    const std::string why = error_[0] != '\0' ? std::string(error_.data()) : std::string(curl_easy_strerror(code));
    return {SendOutcome::kFailed, absl::StrCat("the mail server: ", why)};
  }

  const SmtpBounds& bounds_;
  const std::atomic<bool>& stopping_;
  CURL* const easy_;
  curl_slist* to_ = nullptr;
  curl_slist* headers_ = nullptr;
  curl_mime* mime_ = nullptr;
  std::array<char, CURL_ERROR_SIZE> error_{};
};

absl::Status CheckSmtpServer(const SmtpServer& server) {
  if (!absl::StartsWith(server.url, "smtp://") && !absl::StartsWith(server.url, "smtps://")) {
    return base::errors::InvalidArgument("--smtp-url", "does not begin with smtp:// or smtps://");
  }
  if (server.url.find('@') != std::string::npos) {
    return base::errors::InvalidArgument("--smtp-url", "holds a user; give it in the file of --smtp-credentials");
  }
  if (!IsEmailAddress(server.from)) {
    return base::errors::InvalidArgument("--smtp-from", "is no e-mail address such as caresync@example.org");
  }
  return absl::OkStatus();
}

SmtpMailer::SmtpMailer(SmtpServer server, const SmtpBounds& bounds) : server_(std::move(server)), bounds_(bounds) {
  Initialize();
  thread_ = std::thread([this] { RunThread(); });
}

SmtpMailer::~SmtpMailer() {
  {
    storage::MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  thread_.join();
}

void SmtpMailer::Send(Mail mail, SendDone done) {
  {
    storage::MutexLock lock(mutex_);
    if (queued_.size() < bounds_.queued) {
      queued_.push_back({std::move(mail), std::move(done)});
      changed_.NotifyAll();
      return;
    }
  }
  done({SendOutcome::kNotTried, "too many others are being sent"});
}

void SmtpMailer::RunThread() {
  while (std::optional<Waiting> next = TakeNext()) {
    const SendResult result = Transfer(server_, bounds_, stopping_).Send(next->mail, server_.from);
    if (stopping_) return;
    next->done(result);
  }
}

std::optional<SmtpMailer::Waiting> SmtpMailer::TakeNext() {
  storage::MutexLock lock(mutex_);
  while (queued_.empty() && !stopping_) changed_.Wait(mutex_);
  if (stopping_) return std::nullopt;
  Waiting next = std::move(queued_.front());
  queued_.pop_front();
  return next;
}

}  // namespace caresync::outbox
