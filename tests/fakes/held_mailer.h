// A mailer that holds what it is given until a test says what came of it.
#ifndef CARESYNC_TESTS_FAKES_HELD_MAILER_H_
#define CARESYNC_TESTS_FAKES_HELD_MAILER_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/internal/raw_logging.h"
#include "server/outbox/mailer.h"

namespace caresync::fakes {

// Used by one thread.
class HeldMailer : public outbox::Mailer {
 public:
  void Send(outbox::Mail mail, outbox::SendDone done) override {
    mails_.push_back(std::move(mail));
    dones_.push_back(std::move(done));
  }

  // All that was ever sent, in that order.
  const std::vector<outbox::Mail>& mails() const { return mails_; }

  // Says what came of mail `index`, once; what follows from it runs with the executor.
  void Answer(size_t index, outbox::SendOutcome outcome, const std::string& what = "") {
    ABSL_RAW_CHECK(index < dones_.size() && dones_[index] != nullptr, "no such mail waits for its answer");
    std::exchange(dones_[index], nullptr)({outcome, what});
  }

 private:
  std::vector<outbox::Mail> mails_;
  std::vector<outbox::SendDone> dones_;
};

}  // namespace caresync::fakes

#endif  // CARESYNC_TESTS_FAKES_HELD_MAILER_H_
