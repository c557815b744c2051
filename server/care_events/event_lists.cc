#include "server/care_events/event_lists.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "observability/log.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/page.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/base/uuid.h"
#include "server/records/record_key.h"
#include "server/records/record_store.h"
#include "storage/tuple.h"

namespace caresync::care_events {
namespace {

namespace errors = base::errors;
namespace limits = base::limits;
using base::RecordKey;
using storage::Space;

// An event's place in its list: in the order received, and within one commit in the order recorded. By the commit, not
// by its time: a clock that is set back must not put a later event before a page that was given.
struct Place {
  base::Revision revision = 0;
  uint64_t sequence = 0;
  RecordKey key;
  // The check takes the zero that a comparison by <=> is rewritten with for a null pointer.
  auto operator<=>(const Place&) const = default;  // NOLINT(modernize-use-nullptr)
};

std::string Encode(const Place& place) {
  return storage::TupleWriter().Uint64(place.revision).Uint64(place.sequence).String(place.key.bytes).Take();
}

absl::StatusOr<Place> DecodePlace(const std::string& bytes) {
  Place place;
  if (bytes.empty()) return place;
  storage::TupleReader reader(bytes);
  if (!reader.Uint64(&place.revision) || !reader.Uint64(&place.sequence) || !reader.String(&place.key.bytes) ||
      !reader.AtEnd()) {
    return errors::PageTokenNotValid();
  }
  return place;
}

absl::StatusOr<records::RecordName> ParentIn(const v1::ListCareEventsRequest& request) {
  const bool of_visit = !request.visit_id().empty();
  if (of_visit != request.service_user_id().empty()) {
    return errors::InvalidArgument("visit_id", "and service_user_id: set one of the two");
  }
  const std::optional<base::Uuid> id = base::Uuid::Parse(of_visit ? request.visit_id() : request.service_user_id());
  if (!id.has_value()) return errors::InvalidArgument(of_visit ? "visit_id" : "service_user_id", "is no UUID");
  return records::RecordName{of_visit ? v1::RECORD_KIND_VISIT : v1::RECORD_KIND_SERVICE_USER, *id};
}

absl::Status CheckKnown(const storage::Reader& reader, const base::TenantId& tenant, const records::RecordName& name) {
  ASSIGN_OR_RETURN(const std::optional<store::Record> record, records::GetRecord(reader, tenant, records::KeyOf(name)));
  if (record.has_value()) return absl::OkStatus();
  return name.kind == v1::RECORD_KIND_VISIT ? errors::VisitUnknown(name.id.ToString())
                                            : errors::ServiceUserUnknown(name.id.ToString());
}

// An optional carer of a filter, in its canonical text; empty for none.
absl::StatusOr<std::string> CarerFilter(const std::string& text) {
  if (text.empty()) return std::string();
  const std::optional<base::Uuid> carer = base::Uuid::Parse(text);
  if (!carer.has_value()) return errors::InvalidArgument("carer_id", "is no UUID");
  return carer->ToString();
}

absl::StatusOr<std::vector<RecordKey>> EventKeys(const storage::Reader& reader, const base::TenantId& tenant,
                                                 const RecordKey& parent) {
  std::vector<RecordKey> keys;
  bool damaged = false;
  RETURN_IF_ERROR(reader.Scan(Space::kRecords, records::ChildrenOfKind(tenant, parent, v1::RECORD_KIND_CARE_EVENT),
                              limits::kSearchedRows, [&](std::string_view key, std::string_view) {
                                RecordKey of;
                                damaged = !base::keys::ParseChild(key, &of, &keys.emplace_back());
                                return !damaged;
                              }));
  if (damaged) return errors::DamagedRow("child");
  return keys;
}

// nullopt where its row is damaged away: it cannot be shown any more, and the others can.
absl::StatusOr<std::optional<store::Record>> ReadEvent(const storage::Reader& reader, const base::TenantId& tenant,
                                                       const RecordKey& key) {
  ASSIGN_OR_RETURN(std::optional<store::Record> record, records::GetRecord(reader, tenant, key));
  const std::optional<records::RecordName> name = records::NameOf(key);
  if (!record.has_value()) {
    observability::Log(observability::Level::kError, "care_event_gone",
                       {{"tenant", tenant.text()}, {"event", name.has_value() ? name->id.ToString() : std::string()}});
  }
  return record;
}

absl::StatusOr<bool> IsOfCarer(const store::Record& record, const std::string& carer) {
  if (carer.empty()) return true;
  ASSIGN_OR_RETURN(const v1::CareEvent event, base::ParseStored<v1::CareEvent>(record.payload()));
  const std::optional<base::Uuid> id = base::Uuid::Parse(event.carer_id());
  return id.has_value() && id->ToString() == carer;
}

}  // namespace

absl::StatusOr<v1::ListCareEventsResponse> ListCareEvents(const storage::Reader& reader, const base::TenantId& tenant,
                                                          const v1::ListCareEventsRequest& request) {
  ASSIGN_OR_RETURN(const records::RecordName parent, ParentIn(request));
  ASSIGN_OR_RETURN(const std::string carer, CarerFilter(request.carer_id()));
  ASSIGN_OR_RETURN(const int page_size, base::PageSize(request.page_size()));
  const std::string query = absl::StrCat("care_events/", records::KeyOf(parent).bytes, "/", carer);
  ASSIGN_OR_RETURN(const std::string token, base::DecodePageToken(query, request.page_token()));
  ASSIGN_OR_RETURN(const Place after, DecodePlace(token));
  RETURN_IF_ERROR(CheckKnown(reader, tenant, parent));

  ASSIGN_OR_RETURN(const std::vector<RecordKey> keys, EventKeys(reader, tenant, records::KeyOf(parent)));
  // Only the places are kept: the events of one visit may come to hundreds of megabytes.
  std::vector<Place> places;
  for (const RecordKey& key : keys) {
    ASSIGN_OR_RETURN(const std::optional<store::Record> record, ReadEvent(reader, tenant, key));
    if (!record.has_value()) continue;
    ASSIGN_OR_RETURN(const bool wanted, IsOfCarer(*record, carer));
    // An event's bytes never change: its version is the revision that took it.
    Place place{record->version(), record->event_sequence(), key};
    if (wanted && (token.empty() || place > after)) places.push_back(std::move(place));
  }
  std::sort(places.begin(), places.end());

  v1::ListCareEventsResponse response;
  size_t bytes = 0;
  const Place* last = nullptr;
  for (const Place& place : places) {
    const bool full = response.events_size() == page_size || bytes > limits::kRecordBytes;
    if (full) {
      response.set_next_page_token(base::EncodePageToken(query, Encode(*last)));
      break;
    }
    ASSIGN_OR_RETURN(std::optional<store::Record> found, ReadEvent(reader, tenant, place.key));
    if (!found.has_value()) return errors::DamagedRow("a care event that was there a moment ago");
    store::Record record = *std::move(found);
    v1::RecordedEvent& event = *response.add_events();
    event.set_event_id(record.record_id());
    event.set_device_uuid(record.device_uuid());
    event.set_sequence(record.event_sequence());
    base::SetTime(record.created_time_us(), [&] { return event.mutable_received_time(); });
    bytes += record.payload().size();
    event.set_allocated_event(record.release_payload());
    last = &place;
  }
  return response;
}

absl::StatusOr<v1::EventForReview> ToProto(const storage::Reader& reader, const base::TenantId& tenant,
                                           const records::ReviewName& name, const store::ReviewItem& item) {
  v1::EventForReview event;
  event.set_review_id(records::TextOf(name));
  event.set_event_id(item.event_id());
  event.set_event(item.event());
  event.set_reason(item.reason());
  event.set_device_uuid(item.device_uuid());
  event.set_carer_id(item.carer_id());
  event.set_sequence(item.event_sequence());
  base::SetTime(item.received_time_us(), [&] { return event.mutable_received_time(); });
  event.set_resolution(item.resolution());
  event.set_resolution_note(item.resolution_note());
  event.set_resolved_by(item.resolved_by());
  base::SetTime(item.resolved_time_us(), [&] { return event.mutable_resolved_time(); });
  const std::optional<base::Uuid> carer = base::Uuid::Parse(item.carer_id());
  if (!carer.has_value()) return event;
  ASSIGN_OR_RETURN(const std::optional<store::Record> record,
                   records::GetRecord(reader, tenant, records::KeyOf({v1::RECORD_KIND_CARER, *carer})));
  if (!record.has_value()) return event;
  ASSIGN_OR_RETURN(const v1::Carer payload, base::ParseStored<v1::Carer>(record->payload()));
  event.set_carer_name(payload.name());
  return event;
}

absl::StatusOr<v1::ListEventsForReviewResponse> ListEventsForReview(const storage::Reader& reader,
                                                                    const base::TenantId& tenant,
                                                                    const v1::ListEventsForReviewRequest& request) {
  if (!v1::ReviewReason_IsValid(request.reason()))
    return errors::InvalidArgument("reason", "is none that is known here");
  ASSIGN_OR_RETURN(const std::string carer, CarerFilter(request.carer_id()));
  ASSIGN_OR_RETURN(const int page_size, base::PageSize(request.page_size()));
  const std::string query = absl::StrCat("review/", request.reason(), "/", carer, "/", request.with_resolved());
  ASSIGN_OR_RETURN(const std::string after, base::DecodePageToken(query, request.page_token()));
  // A token is text that a caller may have changed: it must not lead to another table, or another tenant.
  const storage::KeyRange all = base::keys::ReviewsByRevision(tenant, "");
  if (!after.empty() && (after < all.begin || after >= all.end)) return errors::PageTokenNotValid();

  struct Row {
    std::string key;
    records::ReviewName name;
    bool resolved = false;
  };
  std::vector<Row> rows;
  bool damaged = false;
  RETURN_IF_ERROR(reader.Scan(Space::kRecords, base::keys::ReviewsByRevision(tenant, after), limits::kSearchedRows,
                              [&](std::string_view key, std::string_view) {
                                Row row;
                                row.key = std::string(key);
                                base::Revision revision = 0;
                                damaged = !base::keys::ParseReviewByRevision(key, &row.resolved, &revision,
                                                                             &row.name.event_id, &row.name.digest);
                                if (row.resolved && !request.with_resolved()) return false;
                                rows.push_back(std::move(row));
                                return !damaged;
                              }));
  if (damaged) return errors::DamagedRow("a review as received");

  v1::ListEventsForReviewResponse response;
  size_t bytes = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    ASSIGN_OR_RETURN(const std::optional<store::ReviewItem> item, records::GetReview(reader, tenant, rows[i].name));
    if (!item.has_value()) return errors::DamagedRow("an event for review");
    const bool wanted = (request.reason() == v1::REVIEW_REASON_UNSPECIFIED || item->reason() == request.reason()) &&
                        (carer.empty() || item->carer_id() == carer);
    if (wanted) {
      bytes += item->event().size();
      ASSIGN_OR_RETURN(*response.add_events(), ToProto(reader, tenant, rows[i].name, *item));
    }
    const bool full = response.events_size() == page_size || bytes > limits::kRecordBytes;
    const bool more = i + 1 < rows.size() || rows.size() == limits::kSearchedRows;
    if (more && (full || i + 1 == rows.size())) {
      response.set_next_page_token(base::EncodePageToken(query, rows[i].key));
      break;
    }
  }
  return response;
}

}  // namespace caresync::care_events
