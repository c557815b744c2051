// The seam to whoever takes notices outside: what a notice becomes on its way, and what came of it.
#ifndef CARESYNC_SERVER_OUTBOX_SENDER_H_
#define CARESYNC_SERVER_OUTBOX_SENDER_H_

#include <functional>
#include <string>
#include <vector>

namespace caresync::outbox {

// One POST.
struct SendRequest {
  std::string url;
  // "Name: value" each.
  std::vector<std::string> headers;
  std::string body;
};

enum class SendOutcome {
  // The receiver said that it has it.
  kTaken,
  // It did not, or nobody knows: it may have it all the same.
  kFailed,
  // There was no room to try.
  kNotTried,
};

struct SendResult {
  SendOutcome outcome;
  // Why it was not taken, for people; holds nothing of the request but the name of its host.
  std::string what;
};

// Called at most once, on any thread, also from within Send; must not block.
using SendDone = std::function<void(SendResult)>;

// Thread-safe.
class Sender {
 public:
  virtual ~Sender() = default;

  // Returns at once. A sender that ends forgets what it has not sent; `done` is not called then.
  virtual void Send(SendRequest request, SendDone done) = 0;
};

}  // namespace caresync::outbox

#endif  // CARESYNC_SERVER_OUTBOX_SENDER_H_
