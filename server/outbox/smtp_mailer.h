// Sends e-mail over SMTP by libcurl, on a thread of its own: one after the other, since all go to the operator's own
// server, which is as slow for all of them.
#ifndef CARESYNC_SERVER_OUTBOX_SMTP_MAILER_H_
#define CARESYNC_SERVER_OUTBOX_SMTP_MAILER_H_

#include <atomic>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/base/limits.h"
#include "server/outbox/mailer.h"
#include "storage/mutex.h"

namespace caresync::outbox {

// The operator's, and so not bound to public addresses.
struct SmtpServer {
  // smtp://host[:port], with TLS where the server offers it; smtps://host[:port], with TLS from the beginning.
  std::string url;
  // Who sends: an address as IsEmailAddress says.
  std::string from;
  // Empty: none are asked for. With them nothing is sent without TLS.
  std::string user;
  std::string password;
};

// Errors: INVALID_FIELD, naming the option.
absl::Status CheckSmtpServer(const SmtpServer& server);

// Others than the server's own for tests only.
struct SmtpBounds {
  // For the whole of a send, and for its connection alone.
  absl::Duration time = base::limits::kSendTime;
  absl::Duration connect = base::limits::kSendConnectTime;
  // Waiting for the one that is being sent.
  size_t queued = base::limits::kMailsQueued;
};

// What it sends is taken where the server has accepted it. Certificates are checked against those that the system
// trusts.
//
// Thread-safe. Calls `done` on its own thread, or from within Send where there is no room.
class SmtpMailer : public Mailer {
 public:
  explicit SmtpMailer(SmtpServer server, const SmtpBounds& bounds = {});
  // Ends within about a second, whatever is under way.
  ~SmtpMailer() override;

  void Send(Mail mail, SendDone done) override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Waiting {
    Mail mail;
    SendDone done;
  };
  class Transfer;

  void RunThread() ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits for one; nullopt: the thread shall end.
  std::optional<Waiting> TakeNext() ABSL_LOCKS_EXCLUDED(mutex_);

  const SmtpServer server_;
  const SmtpBounds bounds_;
  // Read by the transfer that is under way.
  std::atomic<bool> stopping_ = false;

  storage::Mutex mutex_;
  storage::CondVar changed_;
  std::deque<Waiting> queued_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace caresync::outbox

#endif  // CARESYNC_SERVER_OUTBOX_SMTP_MAILER_H_
