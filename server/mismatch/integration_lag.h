// How long changes of the rota take: from when a visit changed in its rostering system to its commit, and to when the
// phone that its carer uses is known to have applied it. Counted for each tenant since the server started, by whether
// the visit was near, against what is promised of either (limits::kNearPromise, kAheadPromise).
//
// A change counts that names when it was made and was made before the visit's start. What its lag cannot be is counted
// apart, and in no histogram: a time that lies ahead of this server's clock by more than limits::kLagClockAhead, or
// further back than limits::kLagMost, as of records that a rostering system sends for the first time.
#ifndef CARESYNC_SERVER_MISMATCH_INTEGRATION_LAG_H_
#define CARESYNC_SERVER_MISMATCH_INTEGRATION_LAG_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "caresync/store/stored.pb.h"
#include "caresync/v1/mismatches.pb.h"
#include "server/base/clock.h"
#include "server/base/ids.h"
#include "storage/mutex.h"

namespace caresync::mismatch {

// A change of a visit that a rostering system sent.
struct RotaChange {
  // In that system; nullopt where it does not say.
  std::optional<absl::Time> made;
  // The visit's, as the change leaves it.
  absl::Time start;
};

// The change that made `visit` what it is. nullopt where no rostering system did, and where its start cannot be read.
std::optional<RotaChange> LastRotaChange(const store::Record& visit);

// Thread-safe. `clock` must outlive it.
class IntegrationLag {
 public:
  explicit IntegrationLag(const base::Clock& clock);

  // These are committed, or applied, just now.
  void NoteCommitted(const base::TenantId& tenant, absl::Span<const RotaChange> changes) ABSL_LOCKS_EXCLUDED(mutex_);
  void NoteApplied(const base::TenantId& tenant, absl::Span<const RotaChange> changes) ABSL_LOCKS_EXCLUDED(mutex_);

  // What was counted of the tenant so far.
  v1::IntegrationLag Of(const base::TenantId& tenant) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  static constexpr size_t kBuckets = 9;
  using Histogram = std::array<uint64_t, kBuckets>;
  // What is counted of the way to one of the two ends.
  struct Way {
    Histogram near = {};
    Histogram ahead = {};
    uint64_t untimed = 0;
    uint64_t clock_ahead = 0;
    uint64_t too_long_ago = 0;

    void Count(const RotaChange& change, absl::Time now);
  };
  struct Lags {
    Way to_commit;
    Way to_phone;
  };
  static v1::LagHistogram ToProto(const Histogram& histogram, absl::Duration promise);
  static v1::LagToOneEnd ToProto(const Way& way);

  const base::Clock& clock_;
  const absl::Time since_;
  mutable storage::Mutex mutex_;
  std::map<base::TenantId, Lags> lags_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace caresync::mismatch

#endif  // CARESYNC_SERVER_MISMATCH_INTEGRATION_LAG_H_
