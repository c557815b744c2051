#include "server/roster/care_event_stream.h"

#include <optional>
#include <vector>

#include "observability/log.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/commit/stream_token.h"
#include "server/commit/timeline.h"
#include "server/feed/feed_reader.h"
#include "server/records/origin.h"
#include "server/records/record_key.h"
#include "server/records/record_store.h"

namespace caresync::roster {
namespace {

namespace errors = base::errors;
namespace limits = base::limits;
using base::RecordKey;

constexpr char kStream[] = "care-events";
// A delivery besides the event's bytes: IDs and framing.
constexpr size_t kDeliveryBytes = 512;

// An event whose row is damaged away cannot be given any more; whatever is behind it can.
void LogGone(const base::TenantId& tenant, const std::string& source, const RecordKey& event) {
  const std::optional<records::RecordName> name = records::NameOf(event);
  observability::Log(
      observability::Level::kError, "care_event_gone",
      {{"tenant", tenant.text()}, {"source", source}, {"event", name.has_value() ? name->id.ToString() : ""}});
}

absl::StatusOr<v1::CareEventDelivery> Deliver(const storage::Reader& reader, const base::TenantId& tenant,
                                              const std::string& source, const store::Record& record) {
  ASSIGN_OR_RETURN(const v1::CareEvent event, base::ParseStored<v1::CareEvent>(record.payload()));
  const std::optional<records::RecordName> parent = records::ParentOf(event);
  const std::optional<base::Uuid> carer = base::Uuid::Parse(event.carer_id());
  if (!parent.has_value() || !carer.has_value()) return errors::DamagedRow("a care event without its carer or visit");
  ASSIGN_OR_RETURN(
      const std::vector<std::optional<store::Record>> of,
      records::GetRecords(reader, tenant, {records::KeyOf(*parent), records::KeyOf({v1::RECORD_KIND_CARER, *carer})}));
  v1::CareEventDelivery delivery;
  delivery.set_event_id(record.record_id());
  delivery.set_event(record.payload());
  delivery.set_parent_kind(parent->kind);
  delivery.set_parent_external_id(records::ExternalIdIn(source, of[0]));
  // A person may have applied an event that names a carer who is not known here.
  delivery.set_carer_external_id(records::ExternalIdIn(source, of[1]));
  delivery.set_device_uuid(record.device_uuid());
  delivery.set_sequence(record.event_sequence());
  return delivery;
}

}  // namespace

absl::StatusOr<v1::StreamCareEventsResponse> ReadCareEvents(const storage::Reader& reader, const base::TenantId& tenant,
                                                            const std::string& source, std::string_view resume_token,
                                                            const base::TokenSealer& sealer) {
  const commit::StreamReader of{kStream, source};
  ASSIGN_OR_RETURN(const base::CommitPoint head, commit::ReadHead(reader, tenant));
  ASSIGN_OR_RETURN(commit::StreamPlace place, commit::OpenStreamToken(reader, tenant, head, of, resume_token, sealer));
  // A source is told what was recorded and keeps it: it needs no removals, so none that is forgotten can be missed.
  const feed::ReadFrom from{.after = {place.revision, {place.record}}, .rebuild_began = head.revision};
  ASSIGN_OR_RETURN(const feed::FeedBatch batch,
                   feed::ReadBatch(reader, tenant, records::SourceReceiver(source), from, limits::kDeliveredEvents,
                                   limits::kUploadBytes, kDeliveryBytes));
  std::vector<RecordKey> keys;
  for (const feed::Entry& entry : batch.entries) keys.push_back(entry.position.record);
  ASSIGN_OR_RETURN(const std::vector<std::optional<store::Record>> events, records::GetRecords(reader, tenant, keys));

  v1::StreamCareEventsResponse response;
  for (size_t i = 0; i < events.size(); ++i) {
    if (!events[i].has_value()) {
      LogGone(tenant, source, keys[i]);
      continue;
    }
    ASSIGN_OR_RETURN(*response.add_events(), Deliver(reader, tenant, source, *events[i]));
  }
  place.revision = batch.end.revision;
  place.record = batch.end.record.bytes;
  response.set_resume_token(commit::SealStreamToken(tenant, head, of, place, sealer));
  response.set_caught_up(batch.nothing_left);
  response.set_restarted(place.restarted);
  return response;
}

}  // namespace caresync::roster
