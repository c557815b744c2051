#include "server/mismatch/integration_lag.h"

#include <algorithm>
#include <iterator>

#include "absl/status/statusor.h"
#include "caresync/v1/records.pb.h"
#include "google/protobuf/util/time_util.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/base/stored.h"
#include "server/records/promise.h"

namespace caresync::mismatch {
namespace {

namespace limits = base::limits;

// What a lag of each bucket does not pass. Both promises are among them: what is late can be told from the buckets.
constexpr absl::Duration kBounds[] = {absl::Seconds(10),     absl::Minutes(1), absl::Minutes(5),
                                      limits::kNearPromise,  absl::Hours(1),   absl::Hours(4),
                                      limits::kAheadPromise, absl::Hours(72),  limits::kLagMost};

size_t BucketOf(absl::Duration lag) {
  return static_cast<size_t>(std::lower_bound(std::begin(kBounds), std::end(kBounds), lag) - std::begin(kBounds));
}

google::protobuf::Duration ToDuration(absl::Duration duration) {
  return google::protobuf::util::TimeUtil::SecondsToDuration(absl::ToInt64Seconds(duration));
}

}  // namespace

std::optional<RotaChange> LastRotaChange(const store::Record& visit) {
  if (visit.origin().source().empty()) return std::nullopt;
  const absl::StatusOr<v1::Visit> payload = base::ParseStored<v1::Visit>(visit.payload());
  if (!payload.ok()) return std::nullopt;
  RotaChange change{.made = std::nullopt, .start = absl::InfiniteFuture()};
  for (const v1::Assignment& assignment : payload->assignments()) {
    const std::optional<absl::Time> start = base::FromTimestamp(assignment.start_time());
    if (start.has_value()) change.start = std::min(change.start, *start);
  }
  if (change.start == absl::InfiniteFuture()) return std::nullopt;
  if (visit.origin().changed_time_us() != 0) change.made = base::FromStoredTime(visit.origin().changed_time_us());
  return change;
}

IntegrationLag::IntegrationLag(const base::Clock& clock) : clock_(clock), since_(clock.Now()) {}

void IntegrationLag::Way::Count(const RotaChange& change, absl::Time now) {
  if (!change.made.has_value()) {
    ++untimed;
    return;
  }
  if (records::IsAheadOfClock(*change.made, now)) {
    ++clock_ahead;
    return;
  }
  if (!records::IsPromised(*change.made, change.start)) return;
  if (records::IsTooLongAgo(*change.made, now)) {
    ++too_long_ago;
    return;
  }
  ++(records::IsNear(*change.made, change.start) ? near : ahead)[BucketOf(now - *change.made)];
}

void IntegrationLag::NoteCommitted(const base::TenantId& tenant, absl::Span<const RotaChange> changes) {
  const absl::Time now = clock_.Now();
  storage::MutexLock lock(mutex_);
  Way& way = lags_[tenant].to_commit;
  for (const RotaChange& change : changes) way.Count(change, now);
}

void IntegrationLag::NoteApplied(const base::TenantId& tenant, absl::Span<const RotaChange> changes) {
  const absl::Time now = clock_.Now();
  storage::MutexLock lock(mutex_);
  Way& way = lags_[tenant].to_phone;
  for (const RotaChange& change : changes) way.Count(change, now);
}

v1::IntegrationLag IntegrationLag::Of(const base::TenantId& tenant) const {
  Lags lags;
  {
    storage::MutexLock lock(mutex_);
    const auto counted = lags_.find(tenant);
    if (counted != lags_.end()) lags = counted->second;
  }
  v1::IntegrationLag told;
  *told.mutable_since_time() = base::ToTimestamp(since_);
  *told.mutable_committed() = ToProto(lags.to_commit);
  *told.mutable_applied() = ToProto(lags.to_phone);
  return told;
}

v1::LagToOneEnd IntegrationLag::ToProto(const Way& way) {
  v1::LagToOneEnd told;
  *told.mutable_near() = ToProto(way.near, limits::kNearPromise);
  *told.mutable_ahead() = ToProto(way.ahead, limits::kAheadPromise);
  told.set_untimed(way.untimed);
  told.set_clock_ahead(way.clock_ahead);
  told.set_too_long_ago(way.too_long_ago);
  return told;
}

v1::LagHistogram IntegrationLag::ToProto(const Histogram& histogram, absl::Duration promise) {
  v1::LagHistogram told;
  *told.mutable_promise() = ToDuration(promise);
  static_assert(std::size(kBounds) == kBuckets);
  for (size_t i = 0; i < kBuckets; ++i) {
    v1::LagBucket& bucket = *told.add_buckets();
    *bucket.mutable_at_most() = ToDuration(kBounds[i]);
    bucket.set_count(histogram[i]);
    told.set_count(told.count() + histogram[i]);
    if (kBounds[i] > promise) told.set_late(told.late() + histogram[i]);
  }
  return told;
}

}  // namespace caresync::mismatch
