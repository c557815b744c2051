// Whether the server has room for what is about to begin: of a call decided before any work is done for it, of a copy
// before any of it is sent (whether there is to be one shows only when its device's rows and feed were looked at), so
// that under overload what was begun is also finished.
//
// Three things are measured: how long the executor's next work has waited, which grows while more comes than is done;
// for how long some work has waited without a break, which tells a burst, which is let in and worked off, from more
// than the server can do, where less waiting is borne (as CoDel does, RFC 8289); and how many copies are being made,
// which bounds the memory of their batches. A copy takes the work of many deltas, so copies are refused at a shorter
// delay than calls: a herd of phones that need one leaves room for those that only need what has changed.
#ifndef CARESYNC_SERVER_SYNC_ADMISSION_H_
#define CARESYNC_SERVER_SYNC_ADMISSION_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/executor.h"
#include "server/base/limits.h"
#include "server/base/random.h"

namespace caresync::sync {

struct AdmissionBounds {
  absl::Duration call_delay = base::limits::kCallDelay;
  absl::Duration copy_delay = base::limits::kCopyDelay;
  // In the place of the two once some work has waited without a break for `standing`, and until nobody was refused for
  // `calm`.
  absl::Duration standing = base::limits::kStandingWork;
  absl::Duration calm = base::limits::kCalm;
  absl::Duration standing_call_delay = base::limits::kStandingCallDelay;
  absl::Duration standing_copy_delay = base::limits::kStandingCopyDelay;
  size_t copies = base::limits::kCopiesBeingMade;
};

// Thread-safe; blocks for nothing.
class Admission {
  // Counts in `count` until it is destroyed.
  class Counted {
   public:
    // Counts nothing.
    Counted() = default;
    explicit Counted(std::atomic<size_t>& count) : count_(&count) { ++count; }
    Counted(Counted&& other) noexcept : count_(std::exchange(other.count_, nullptr)) {}
    Counted& operator=(Counted&& other) noexcept {
      std::swap(count_, other.count_);
      return *this;
    }
    ~Counted() {
      if (count_ != nullptr) --*count_;
    }
    bool counts() const { return count_ != nullptr; }

   private:
    std::atomic<size_t>* count_ = nullptr;
  };

 public:
  // A copy that is being made, or a call that was let in and whose work has not come yet: counted until this is
  // destroyed. Must not outlive its Admission.
  using Copy = Counted;
  using Call = Counted;

  // All must outlive it.
  Admission(const base::Executor& executor, base::RandomSource& random, const base::Clock& clock,
            const AdmissionBounds& bounds = {})
      : executor_(executor), random_(random), clock_(clock), bounds_(bounds) {}

  // Whether a call may begin. OVERLOADED, with when to come back, while work has waited for `call_delay`, or for
  // `standing_call_delay` where some has waited for `standing`.
  absl::Status RoomForCall() const;
  // Whether a copy may be made, or gone on with. OVERLOADED, with when to come back, while work has waited for
  // `copy_delay` (or `standing_copy_delay`, likewise), or about so many copies are being made as there may be: those
  // that look at the same time may all begin.
  absl::Status RoomForCopy() const;
  // Whoever began one counts it, whether or not there was room.
  Copy BeginCopy() { return Copy(copies_); }
  size_t copies() const { return copies_; }
  // Whoever lets a call in of which work is to be posted counts it until that is so: thousands may come before the
  // first of them is work that waits, and each would find room.
  Call BeginCall() { return Call(coming_); }

  // OVERLOADED, with a time of its own to come back, so that those that were refused together do not come back
  // together.
  absl::Status Refusal() const;

 private:
  // When somebody was refused last, by the monotonic clock, in microseconds; nobody yet: long ago.
  using Refused = std::atomic<int64_t>;
  static constexpr int64_t kNobody = std::numeric_limits<int64_t>::min();

  // Work waits for less than `burst`, or than `standing` where it is no burst.
  bool WaitsForLess(absl::Duration burst, absl::Duration standing, Refused& refused) const;

  const base::Executor& executor_;
  base::RandomSource& random_;
  const base::Clock& clock_;
  const AdmissionBounds bounds_;
  mutable Refused call_refused_ = kNobody;
  mutable Refused copy_refused_ = kNobody;
  std::atomic<size_t> copies_ = 0;
  std::atomic<size_t> coming_ = 0;
};

}  // namespace caresync::sync

#endif  // CARESYNC_SERVER_SYNC_ADMISSION_H_
