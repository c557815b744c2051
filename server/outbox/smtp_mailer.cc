#include "server/outbox/smtp_mailer.h"

#include <curl/curl.h>

#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "server/base/errors.h"
#include "server/outbox/curl_handle.h"
#include "server/outbox/email_address.h"

namespace caresync::outbox {
namespace {

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
      : bounds_(bounds), stopping_(stopping), handle_(bounds.time, bounds.connect) {
    handle_.Set(CURLOPT_URL, server.url.c_str());
    handle_.Set(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    handle_.Set(CURLOPT_USE_SSL, static_cast<long>(server.user.empty() ? CURLUSESSL_TRY : CURLUSESSL_ALL));
    if (!server.user.empty()) {
      handle_.Set(CURLOPT_USERNAME, server.user.c_str());
      handle_.Set(CURLOPT_PASSWORD, server.password.c_str());
    }
    handle_.Set(CURLOPT_MAIL_FROM, absl::StrCat("<", server.from, ">").c_str());
    handle_.Set(CURLOPT_NOPROGRESS, 0L);
    handle_.Set(CURLOPT_XFERINFOFUNCTION, &IsToEnd);
    handle_.Set(CURLOPT_XFERINFODATA, this);
    handle_.Set(CURLOPT_WRITEFUNCTION, &PassOver);
  }
  ~Transfer() { curl_mime_free(mime_); }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  SendResult Send(const Mail& mail, const std::string& from) {
    // Addresses were checked when they were set. One that was not must not end a line of the dialogue.
    if (!IsEmailAddress(mail.to)) return {SendOutcome::kFailed, "no e-mail address"};
    to_.Add(absl::StrCat("<", mail.to, ">"));
    handle_.Set(CURLOPT_MAIL_RCPT, to_.get());
    for (const std::string& header :
         {absl::StrCat("Date: ", DateText(mail.time)), absl::StrCat("From: <", from, ">"),
          absl::StrCat("To: <", mail.to, ">"), absl::StrCat("Subject: ", OneLine(mail.subject)),
          absl::StrCat("Message-ID: <", OneLine(mail.id), "@", DomainOf(from), ">"),
          std::string("Auto-Submitted: auto-generated")}) {
      headers_.Add(header);
    }
    handle_.Set(CURLOPT_HTTPHEADER, headers_.get());
    SetText(absl::StrReplaceAll(mail.text, {{"\n", "\r\n"}}));
    return ResultOf(curl_easy_perform(handle_.get()));
  }

 private:
  void SetText(const std::string& text) {
    mime_ = curl_mime_init(handle_.get());
    curl_mimepart* part = curl_mime_addpart(mime_);
    const bool set = part != nullptr && curl_mime_data(part, text.data(), text.size()) == CURLE_OK &&
                     curl_mime_type(part, "text/plain; charset=utf-8") == CURLE_OK &&
                     curl_mime_encoder(part, "quoted-printable") == CURLE_OK;
    ABSL_RAW_CHECK(set, "no memory for libcurl");
    handle_.Set(CURLOPT_MIMEPOST, mime_);
  }

  static int IsToEnd(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<Transfer*>(self)->stopping_ ? 1 : 0;
  }
  // What the server says beside its codes would go to the standard output.
  static size_t PassOver(char* /*bytes*/, size_t size, size_t count, void* /*self*/) { return size * count; }

  SendResult ResultOf(CURLcode code) const {
    if (code == CURLE_OK) return {SendOutcome::kTaken, ""};
    if (code == CURLE_OPERATION_TIMEDOUT) {
      return {SendOutcome::kFailed,
              absl::StrCat("the mail server did not take it within ", absl::FormatDuration(bounds_.time))};
    }
    const long answer = handle_.Answer();
    if (answer >= 400) return {SendOutcome::kFailed, absl::StrCat("the mail server answered ", answer)};
    return {SendOutcome::kFailed, absl::StrCat("the mail server: ", handle_.WhyNot(code))};
  }

  const SmtpBounds& bounds_;
  const std::atomic<bool>& stopping_;
  // libcurl reads the lists until the handle is gone.
  CurlList to_;
  CurlList headers_;
  CurlHandle handle_;
  curl_mime* mime_ = nullptr;
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
  UseCurl();
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
