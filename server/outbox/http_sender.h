// Sends webhooks over HTTP by libcurl, on a thread of its own.
#ifndef CARESYNC_SERVER_OUTBOX_HTTP_SENDER_H_
#define CARESYNC_SERVER_OUTBOX_HTTP_SENDER_H_

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "server/base/limits.h"
#include "server/outbox/sender.h"
#include "server/outbox/webhook_rules.h"
#include "storage/mutex.h"

namespace caresync::outbox {

// Others than the server's own for tests only.
struct HttpBounds {
  // For the whole of a send, and for its connection alone.
  absl::Duration time = base::limits::kSendTime;
  absl::Duration connect = base::limits::kSendConnectTime;
  // Of the answer, headers included; what comes behind is not read.
  size_t answer_bytes = base::limits::kSendAnswerBytes;
  // Under way, and waiting for that.
  size_t at_once = base::limits::kSendsAtOnce;
  size_t queued = base::limits::kSendsQueued;
};

// What it sends is taken where the answer's status is 200 to 299, whatever follows it. Each send has a connection of
// its own, by no proxy; no redirect is followed. The address that is really connected to must be allowed, whatever its
// name stood for before. Certificates are checked against those that the system trusts.
//
// Thread-safe. Calls `done` on its own thread, or from within Send where there is no room.
class HttpSender : public Sender {
 public:
  explicit HttpSender(const WebhookRules& rules, const HttpBounds& bounds = {});
  // Ends at once, whatever is under way.
  ~HttpSender() override;

  void Send(SendRequest request, SendDone done) override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Transfer;
  struct Waiting {
    SendRequest request;
    SendDone done;
  };

  void RunThread() ABSL_LOCKS_EXCLUDED(mutex_);
  // Those that there is room for now. nullopt: the thread shall end.
  std::optional<std::deque<Waiting>> TakeQueued() ABSL_LOCKS_EXCLUDED(mutex_);
  void Begin(Waiting waiting);
  // Ends those that are done. False where none was.
  bool EndDone();

  const WebhookRules rules_;
  const HttpBounds bounds_;
  // A CURLM.
  void* const multi_;
  // By their CURL; the thread's own.
  std::map<void*, std::unique_ptr<Transfer>> under_way_;

  storage::Mutex mutex_;
  std::deque<Waiting> queued_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace caresync::outbox

#endif  // CARESYNC_SERVER_OUTBOX_HTTP_SENDER_H_
