// The signals of a server's process.
#ifndef CARESYNC_SERVER_BASE_SIGNALS_H_
#define CARESYNC_SERVER_BASE_SIGNALS_H_

#include <signal.h>

namespace caresync::base {

// Has SIGINT and SIGTERM wait for whoever asks for them (sigwait, sigtimedwait), and SIGPIPE ignored: whoever read the
// output may be gone, which is no reason to stop serving. Before any thread is made: all inherit it. Returns the two
// that wait.
sigset_t BlockSignals();

}  // namespace caresync::base

#endif  // CARESYNC_SERVER_BASE_SIGNALS_H_
