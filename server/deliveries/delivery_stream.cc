#include "server/deliveries/delivery_stream.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "caresync/store/stored.pb.h"
#include "observability/log.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/base/uuid.h"
#include "server/commit/stream_token.h"
#include "server/commit/timeline.h"
#include "server/deliveries/delivery_rows.h"
#include "server/deliveries/outcome.h"
#include "server/feed/feed_entry.h"
#include "server/records/origin.h"
#include "server/records/record_key.h"
#include "server/records/record_store.h"

namespace caresync::deliveries {
namespace {

namespace errors = base::errors;
namespace keys = base::keys;
using storage::Space;

constexpr char kStream[] = "deliveries";
// Marks that one message looks at.
constexpr size_t kMarksAMessage = 100;
// Deliveries of a message: it goes on to the end of the revision in which it has so many.
constexpr int kDeliveriesAMessage = 100;
// Entries that a message looks at, likewise: of a first copy there are all that are kept, and they may be other
// sources'.
constexpr size_t kEntriesAMessage = 2'000;
// Entries that are read at once.
constexpr size_t kEntriesAtOnce = 200;
// Numbers that are looked through first for the mark before one; most devices are one carer's.
constexpr uint64_t kMarksBefore = 16;

// A mark in the order in which marks are told.
struct Told {
  std::string key;
  // DAMAGED_ROW where it cannot be read.
  absl::StatusOr<store::ToldMark> row;
};

// Those behind the place; the one at the place before them where it was told in part.
absl::StatusOr<std::vector<Told>> ReadTold(const storage::Reader& reader, const base::TenantId& tenant,
                                           commit::StreamPlace& place) {
  std::vector<Told> told;
  const auto add = [&told](std::string_view key, std::string_view value) {
    told.push_back({.key = std::string(key), .row = base::ParseStored<store::ToldMark>(value)});
    return true;
  };
  if (place.revision != 0) {
    ASSIGN_OR_RETURN(const std::optional<std::string> in_part, reader.Get(Space::kRecords, place.record));
    if (in_part.has_value()) add(place.record, *in_part);
    // It was let go.
    if (!in_part.has_value()) place.revision = 0;
  }
  RETURN_IF_ERROR(reader.Scan(Space::kRecords, keys::ToldMarks(tenant, place.record), kMarksAMessage, add));
  return told;
}

// Whose device said what.
struct CarerMark {
  base::Uuid device;
  base::Uuid carer;
  Mark mark;
};

// Reads for one message.
class Teller {
 public:
  Teller(const storage::Reader& reader, const base::TenantId& tenant, const std::string& source,
         v1::StreamDeliveriesResponse& response)
      : reader_(reader), tenant_(tenant), source_(source), response_(response) {}

  bool is_full() const { return response_.deliveries_size() >= kDeliveriesAMessage || looked_at_ >= kEntriesAMessage; }

  // Tells of what the mark shows of entries behind `revision`. Returns the revision up to which it told where the
  // message is full before its end; nullopt: all is told.
  absl::StatusOr<std::optional<base::Revision>> Tell(const Told& told, base::Revision revision) {
    RETURN_IF_ERROR(told.row.status());
    ASSIGN_OR_RETURN(const std::optional<CarerMark> of, Read(*told.row));
    if (!of.has_value()) return std::optional<base::Revision>();
    const std::optional<feed::Position> reach = ReachOf(of->mark);
    if (!reach.has_value()) return std::optional<base::Revision>();
    ASSIGN_OR_RETURN(const std::optional<feed::Position> before, ReachBefore(*of));
    ASSIGN_OR_RETURN(carer_external_id_, CarerExternalId(of->carer));
    feed::Position after =
        std::max(before.value_or(feed::Position()), revision == 0 ? feed::Position() : feed::Position::EndOf(revision));
    for (;;) {
      ASSIGN_OR_RETURN(const std::vector<Entry> entries,
                       ReadEntries(reader_, tenant_, of->carer, after, kEntriesAtOnce));
      ASSIGN_OR_RETURN(const std::vector<std::string> external_ids, VisitExternalIds(entries));
      for (size_t i = 0; i < entries.size(); ++i) {
        if (entries[i].position() > *reach) return std::optional<base::Revision>();
        const bool behind_whole_revision = entries[i].revision != after.revision;
        if (is_full() && behind_whole_revision) return std::optional<base::Revision>(after.revision);
        after = entries[i].position();
        ++looked_at_;
        if (external_ids[i].empty() || !entries[i].row.rota_change()) continue;
        RETURN_IF_ERROR(Add(*of, entries[i], external_ids[i], !before.has_value()));
      }
      if (entries.size() < kEntriesAtOnce) return std::optional<base::Revision>();
    }
  }

 private:
  // nullopt: it was let go.
  absl::StatusOr<std::optional<CarerMark>> Read(const store::ToldMark& told) const {
    const std::optional<base::Uuid> device = base::Uuid::Parse(told.device_uuid());
    const std::optional<base::Uuid> carer = base::Uuid::Parse(told.carer_id());
    if (!device.has_value() || !carer.has_value()) return errors::DamagedRow("a mark that was told");
    ASSIGN_OR_RETURN(std::optional<store::CopyMark> row,
                     base::GetStored<store::CopyMark>(reader_, Space::kDevices,
                                                      keys::CopyMark(tenant_, *device, *carer, told.mark_number())));
    if (!row.has_value()) return std::optional<CarerMark>();
    return std::optional<CarerMark>({*device, *carer, {told.mark_number(), *std::move(row)}});
  }

  // Up to where the device held the feed by its last mark of the carer before this one that says so; nullopt: there is
  // none.
  absl::StatusOr<std::optional<feed::Position>> ReachBefore(const CarerMark& of) const {
    uint64_t end = of.mark.number;
    for (uint64_t span = kMarksBefore; end > 1; span *= 2) {
      const uint64_t after = end - 1 > span ? end - 1 - span : 0;
      ASSIGN_OR_RETURN(const std::vector<Mark> marks, ReadAllMarks(reader_, tenant_, of.device, of.carer, after, end));
      for (auto mark = marks.rbegin(); mark != marks.rend(); ++mark) {
        const std::optional<feed::Position> reach = ReachOf(*mark);
        if (reach.has_value()) return reach;
      }
      end = after + 1;
    }
    return std::optional<feed::Position>();
  }

  absl::StatusOr<std::string> CarerExternalId(const base::Uuid& carer) const {
    const absl::StatusOr<std::optional<store::Record>> record =
        records::GetRecord(reader_, tenant_, records::KeyOf({v1::RECORD_KIND_CARER, carer}));
    if (absl::IsDataLoss(record.status())) return std::string();
    RETURN_IF_ERROR(record.status());
    return records::ExternalIdIn(source_, *record);
  }

  // Of each entry's visit; empty of one of another source.
  absl::StatusOr<std::vector<std::string>> VisitExternalIds(const std::vector<Entry>& entries) const {
    std::vector<base::RecordKey> visits;
    visits.reserve(entries.size());
    for (const Entry& entry : entries) visits.push_back(entry.visit);
    ASSIGN_OR_RETURN(const std::vector<std::optional<store::Record>> records,
                     records::GetRecords(reader_, tenant_, visits));
    std::vector<std::string> ids;
    ids.reserve(records.size());
    for (const std::optional<store::Record>& record : records) ids.push_back(records::ExternalIdIn(source_, record));
    return ids;
  }

  // `first`: what was over before the device held anything is nothing to it.
  absl::Status Add(const CarerMark& of, const Entry& entry, const std::string& visit_external_id, bool first) {
    ASSIGN_OR_RETURN(const std::vector<base::Revision> of_visit,
                     ReadRevisions(reader_, tenant_, entry.carer, entry.visit));
    const bool applied = ShowsLast(of.mark, entry.position(), of_visit);
    if (first && (!applied || !entry.row.has_payload())) return absl::OkStatus();
    v1::RosterDelivery& delivery = *response_.add_deliveries();
    delivery.set_visit_external_id(visit_external_id);
    delivery.set_carer_external_id(carer_external_id_);
    delivery.set_device_uuid(of.device.ToString());
    delivery.set_state(applied ? v1::DELIVERY_STATE_APPLIED : v1::DELIVERY_STATE_SUPERSEDED);
    delivery.set_held(entry.row.has_payload());
    delivery.set_revision(entry.revision);
    base::SetTime(entry.row.committed_us(), [&] { return delivery.mutable_committed_time(); });
    base::SetTime(entry.row.changed_us(), [&] { return delivery.mutable_source_changed_time(); });
    if (applied) base::SetTime(of.mark.row.sent_us(), [&] { return delivery.mutable_sent_time(); });
    base::SetTime(of.mark.row.time_us(), [&] { return delivery.mutable_applied_time(); });
    return absl::OkStatus();
  }

  const storage::Reader& reader_;
  const base::TenantId& tenant_;
  const std::string& source_;
  v1::StreamDeliveriesResponse& response_;
  std::string carer_external_id_;
  size_t looked_at_ = 0;
};

}  // namespace

absl::StatusOr<v1::StreamDeliveriesResponse> ReadDeliveries(const storage::Reader& reader, const base::TenantId& tenant,
                                                            const std::string& source, std::string_view resume_token,
                                                            const base::TokenSealer& sealer) {
  const commit::StreamReader of{kStream, source};
  ASSIGN_OR_RETURN(const base::CommitPoint head, commit::ReadHead(reader, tenant));
  // Its record is the key of the last mark that was told; with a revision, that was told up to there alone.
  ASSIGN_OR_RETURN(commit::StreamPlace place, commit::OpenStreamToken(reader, tenant, head, of, resume_token, sealer));
  ASSIGN_OR_RETURN(const std::vector<Told> all, ReadTold(reader, tenant, place));
  v1::StreamDeliveriesResponse response;
  Teller teller(reader, tenant, source, response);
  bool nothing_left = all.size() < kMarksAMessage;
  for (const Told& told : all) {
    if (teller.is_full()) {
      nothing_left = false;
      break;
    }
    absl::StatusOr<std::optional<base::Revision>> told_until = teller.Tell(told, place.revision);
    if (absl::IsDataLoss(told_until.status())) {
      observability::Log(observability::Level::kError, "delivery_not_told",
                         {{"tenant", tenant.text()}, {"error", told_until.status().message()}});
      told_until = std::optional<base::Revision>();
    }
    RETURN_IF_ERROR(told_until.status());
    place.record = told.key;
    place.revision = told_until->value_or(0);
    if (place.revision == 0) continue;
    nothing_left = false;
    break;
  }
  response.set_resume_token(commit::SealStreamToken(tenant, head, of, place, sealer));
  response.set_caught_up(nothing_left);
  response.set_restarted(place.restarted);
  return response;
}

}  // namespace caresync::deliveries
