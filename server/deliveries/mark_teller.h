// Lets marks be told (TellMarks) soon after a session has committed some: of each tenant by one commit, however many
// devices acknowledge meanwhile.
#ifndef CARESYNC_SERVER_DELIVERIES_MARK_TELLER_H_
#define CARESYNC_SERVER_DELIVERIES_MARK_TELLER_H_

#include <map>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/base/executor.h"
#include "server/base/ids.h"
#include "server/commit/sequencer.h"
#include "storage/mutex.h"
#include "storage/store.h"

namespace caresync::deliveries {

// How long marks wait for others that are told with them: a rostering system does not notice it, and many devices that
// sync at once cost one commit and not one each.
inline constexpr absl::Duration kMarksTogether = absl::Seconds(1);
// When it is tried again where that failed.
inline constexpr absl::Duration kMarksToldAgain = absl::Minutes(1);

// Thread-safe. Everything given to the constructor must outlive it. Destroy it only when the executor runs no more of
// its work, and every change is done.
class MarkTeller {
 public:
  MarkTeller(commit::Sequencer& sequencer, base::Executor& executor) : sequencer_(sequencer), executor_(executor) {}
  MarkTeller(const MarkTeller&) = delete;
  MarkTeller& operator=(const MarkTeller&) = delete;

  // Marks of the tenant are to be told: all that are committed by now will be. Where that fails, which is logged, it is
  // tried again.
  void Tell(const base::TenantId& tenant) ABSL_LOCKS_EXCLUDED(mutex_);

  // Once, when the server starts: for what was acknowledged and the server ended before it was told. Errors are those
  // of reading.
  absl::Status TellAtStart(const storage::Reader& reader);

 private:
  void SubmitAfter(absl::Duration wait, const base::TenantId& tenant);
  void Submit(const base::TenantId& tenant) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnTold(const base::TenantId& tenant, const absl::Status& told, bool more) ABSL_LOCKS_EXCLUDED(mutex_);

  commit::Sequencer& sequencer_;
  base::Executor& executor_;
  storage::Mutex mutex_;
  // Those whose marks are going to be told, or are being told; and whether more came since that began.
  std::map<base::TenantId, bool> telling_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace caresync::deliveries

#endif  // CARESYNC_SERVER_DELIVERIES_MARK_TELLER_H_
