// A sender that holds what it is given until a test says what came of it.
#ifndef CARESYNC_TESTS_FAKES_HELD_SENDER_H_
#define CARESYNC_TESTS_FAKES_HELD_SENDER_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/internal/raw_logging.h"
#include "server/outbox/sender.h"

namespace caresync::fakes {

// Used by one thread.
class HeldSender : public outbox::Sender {
 public:
  void Send(outbox::SendRequest request, outbox::SendDone done) override {
    requests_.push_back(std::move(request));
    dones_.push_back(std::move(done));
  }

  // All that was ever sent, in that order.
  const std::vector<outbox::SendRequest>& requests() const { return requests_; }

  // Says what came of request `index`, once; what follows from it runs with the executor.
  void Answer(size_t index, outbox::SendOutcome outcome, const std::string& what = "") {
    ABSL_RAW_CHECK(index < dones_.size() && dones_[index] != nullptr, "no such request waits for its answer");
    std::exchange(dones_[index], nullptr)({outcome, what});
  }

 private:
  std::vector<outbox::SendRequest> requests_;
  std::vector<outbox::SendDone> dones_;
};

}  // namespace caresync::fakes

#endif  // CARESYNC_TESTS_FAKES_HELD_SENDER_H_
