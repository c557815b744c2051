// How a command that follows goes on where the server, or the way to it, was gone for a while.
#ifndef CARESYNC_TOOLS_CARESYNC_COMING_BACK_H_
#define CARESYNC_TOOLS_CARESYNC_COMING_BACK_H_

#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/base/random.h"

namespace caresync::cli {

// When to open the next stream. Not thread-safe.
class ComingBack {
 public:
  // `random` must outlive it. `new_credential`: the next stream has one, so that the end of this one's is no obstacle.
  ComingBack(base::RandomSource& random, bool new_credential) : random_(random), new_credential_(new_credential) {}

  // The stream brought something: the server is there.
  void Heard();
  // The pause before the next stream, after one that ended so: as long as the server says; else one that grows up to a
  // minute until something is heard, and is spread, so that not all come back at once. nullopt: another stream would
  // end the same way, as one to a server that was never heard does, whose name may be wrong. The first end since
  // something was heard is told on the standard error stream.
  std::optional<absl::Duration> PauseAfter(const absl::Status& end);

 private:
  base::RandomSource& random_;
  const bool new_credential_;
  bool ever_heard_ = false;
  bool told_ = false;
  int failures_ = 0;
};

}  // namespace caresync::cli

#endif  // CARESYNC_TOOLS_CARESYNC_COMING_BACK_H_
