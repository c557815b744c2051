#include "server/records/carer_signs.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "caresync/store/stored.pb.h"
#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/records/record_key.h"
#include "server/records/record_store.h"
#include "server/records/review.h"

namespace caresync::records {
namespace {

using base::RecordKey;
namespace limits = base::limits;

// Which events count; asked of those that have a time.
using Counts = absl::FunctionRef<bool(const v1::CareEvent& event, absl::Time occurred)>;

// nullopt where the bytes are no event of this carer on this visit that counts.
std::optional<CarerSign> SignIn(const std::string& bytes, int64_t received_us, const base::Uuid& carer,
                                const RecordKey& visit, Counts counts) {
  v1::CareEvent event;
  if (!event.ParseFromString(bytes) || base::Uuid::Parse(event.carer_id()) != carer) return std::nullopt;
  const std::optional<RecordName> parent = ParentOf(event);
  const std::optional<absl::Time> occurred = base::FromTimestamp(event.occurred_time());
  if (!parent.has_value() || KeyOf(*parent) != visit || !occurred.has_value()) return std::nullopt;
  if (!counts(event, *occurred)) return std::nullopt;
  return CarerSign{*occurred, base::FromStoredTime(received_us)};
}

// The next events in `range`, a part of the visit's, which then begins behind them.
absl::StatusOr<std::vector<RecordKey>> NextEvents(const storage::Reader& reader, storage::KeyRange& range) {
  std::vector<RecordKey> events;
  bool damaged = false;
  std::string last;
  RETURN_IF_ERROR(reader.Scan(storage::Space::kRecords, range, limits::kEventsLookedThrough,
                              [&](std::string_view key, std::string_view) {
                                RecordKey parent;
                                damaged = !base::keys::ParseChild(key, &parent, &events.emplace_back());
                                last = std::string(key);
                                return !damaged;
                              }));
  if (damaged) return base::errors::DamagedRow("a care event's key");
  if (!events.empty()) range.begin = last + '\0';
  return events;
}

// The first that counts among the visit's own events, whoever recorded those before it.
absl::StatusOr<std::optional<CarerSign>> FindTaken(const storage::Reader& reader, const base::TenantId& tenant,
                                                   const base::Uuid& carer, const RecordKey& visit, Counts counts) {
  storage::KeyRange rest = ChildrenOfKind(tenant, visit, v1::RECORD_KIND_CARE_EVENT);
  for (size_t looked = 0; looked < limits::kEventsOfRecord; looked += limits::kEventsLookedThrough) {
    ASSIGN_OR_RETURN(const std::vector<RecordKey> events, NextEvents(reader, rest));
    for (const RecordKey& key : events) {
      ASSIGN_OR_RETURN(const std::optional<store::Record> event, GetRecord(reader, tenant, key));
      if (!event.has_value()) continue;
      std::optional<CarerSign> sign = SignIn(event->payload(), event->created_time_us(), carer, visit, counts);
      if (sign.has_value()) return sign;
    }
    if (events.size() < limits::kEventsLookedThrough) break;
  }
  return std::optional<CarerSign>();
}

// The first that counts: of those that took effect, then of the carer's that wait for review.
absl::StatusOr<std::optional<CarerSign>> Find(const storage::Reader& reader, const base::TenantId& tenant,
                                              const base::Uuid& carer, const RecordKey& visit, Counts counts) {
  ASSIGN_OR_RETURN(std::optional<CarerSign> taken, FindTaken(reader, tenant, carer, visit, counts));
  if (taken.has_value()) return taken;
  ASSIGN_OR_RETURN(
      const std::vector<ReviewName> waiting,
      WaitingReviews(reader, tenant, KeyOf({v1::RECORD_KIND_CARER, carer}), visit, limits::kEventsLookedThrough));
  for (const ReviewName& name : waiting) {
    ASSIGN_OR_RETURN(const std::optional<store::ReviewItem> item, GetReview(reader, tenant, name));
    if (!item.has_value()) continue;
    std::optional<CarerSign> sign = SignIn(item->event(), item->received_time_us(), carer, visit, counts);
    if (sign.has_value()) return sign;
  }
  return std::optional<CarerSign>();
}

}  // namespace

bool IsSign(const v1::CareEvent& event) {
  switch (event.what_case()) {
    case v1::CareEvent::kVisitStarted:
    case v1::CareEvent::kVisitFinished:
    case v1::CareEvent::kActivityOutcome:
      return true;
    case v1::CareEvent::kFormSubmitted:
    case v1::CareEvent::kNote:
    case v1::CareEvent::kRotaChangeSeen:
    case v1::CareEvent::WHAT_NOT_SET:
      return false;
  }
  return false;
}

absl::StatusOr<std::optional<CarerSign>> FindSign(const storage::Reader& reader, const base::TenantId& tenant,
                                                  const base::Uuid& carer, const RecordKey& visit,
                                                  absl::Time earliest) {
  return Find(reader, tenant, carer, visit, [earliest](const v1::CareEvent& event, absl::Time occurred) {
    return IsSign(event) && occurred >= earliest;
  });
}

absl::StatusOr<std::optional<CarerSign>> FindSeen(const storage::Reader& reader, const base::TenantId& tenant,
                                                  const base::Uuid& carer, const RecordKey& visit,
                                                  base::Revision version) {
  return Find(reader, tenant, carer, visit, [version](const v1::CareEvent& event, absl::Time) {
    return event.has_rota_change_seen() && event.rota_change_seen().revision() == version;
  });
}

}  // namespace caresync::records
