#include "server/roster/waiting_list.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "observability/log.h"
#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/page.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/records/promise.h"
#include "server/records/record_key.h"
#include "server/roster/change_record.h"
#include "server/roster/validation.h"
#include "server/roster/waiting.h"

namespace caresync::roster {
namespace {

namespace errors = base::errors;
namespace limits = base::limits;

// Of the earliest assignment. nullopt: there is none.
std::optional<absl::Time> StartOf(const v1::RosterVisit& visit) {
  std::optional<absl::Time> earliest;
  for (const v1::RosterAssignment& assignment : visit.assignments()) {
    const std::optional<absl::Time> start = base::FromTimestamp(assignment.start_time());
    if (start.has_value()) earliest = std::min(earliest.value_or(*start), *start);
  }
  return earliest;
}

// By when the change is to be seen on a phone. nullopt: nothing is promised of it. A visit that waits while it is
// cancelled or withdrawn was never in the rota, and nobody is to see it.
std::optional<absl::Time> PromisedBy(const store::WaitingChange& waiting) {
  const v1::RosterChange& change = waiting.change();
  if (!change.visit().published() || change.visit().cancelled() || !change.has_changed_time()) return std::nullopt;
  const std::optional<absl::Time> made = base::FromTimestamp(change.changed_time());
  const std::optional<absl::Time> start = StartOf(change.visit());
  if (!made.has_value() || !start.has_value()) return std::nullopt;
  return records::PromisedBy(*made, base::FromStoredTime(waiting.since_us()), *start);
}

// Errors: DAMAGED_ROW.
absl::StatusOr<v1::WaitingRosterChange> Tell(const base::TenantId& tenant, std::string_view key, std::string_view value,
                                             absl::Time now) {
  base::RecordKey record;
  const bool parsed = base::keys::ParseWaiting(key, &record);
  const std::optional<records::RecordName> name = parsed ? records::NameOf(record) : std::nullopt;
  if (!name.has_value()) return errors::DamagedRow("the key of a waiting change");
  ASSIGN_OR_RETURN(const store::WaitingChange waiting, base::ParseStored<store::WaitingChange>(value));
  const v1::RosterChange& change = waiting.change();
  v1::WaitingRosterChange told;
  told.set_record_kind(name->kind);
  told.set_record_id(name->id.ToString());
  told.set_source(change.source());
  told.set_external_id(change.external_id());
  if (change.has_changed_time()) *told.mutable_source_changed_time() = change.changed_time();
  base::SetTime(waiting.since_us(), [&] { return told.mutable_received_time(); });
  *told.mutable_missing() = ToMissing(MissingOf(tenant, waiting, limits::kMissingTold));
  told.set_missing_count(waiting.missing_size());
  told.set_refused_reason(waiting.refused_reason());
  const std::optional<absl::Time> promised = PromisedBy(waiting);
  if (!promised.has_value()) return told;
  *told.mutable_promised_time() = base::ToTimestamp(*promised);
  told.set_late(now > *promised);
  return told;
}

bool IsWanted(const v1::ListWaitingChangesRequest& request, const v1::WaitingRosterChange& change) {
  const bool of_source = request.source().empty() || request.source() == change.source();
  return of_source && (change.late() || !request.late_only());
}

// Adds the row to the page where it is wanted.
void AddRow(const base::TenantId& tenant, const v1::ListWaitingChangesRequest& request, absl::Time now,
            std::string_view key, std::string_view value, v1::ListWaitingChangesResponse& response) {
  absl::StatusOr<v1::WaitingRosterChange> change = Tell(tenant, key, value, now);
  if (!change.ok()) {
    observability::Log(observability::Level::kError, "waiting_change_not_readable",
                       {{"tenant", tenant.text()}, {"error", change.status().message()}});
    return;
  }
  if (IsWanted(request, *change)) *response.add_changes() = *std::move(change);
}

}  // namespace

absl::StatusOr<v1::ListWaitingChangesResponse> ListWaiting(const storage::Reader& reader, const base::TenantId& tenant,
                                                           const v1::ListWaitingChangesRequest& request,
                                                           absl::Time now) {
  if (!request.source().empty()) RETURN_IF_ERROR(ValidateSource(request.source()));
  ASSIGN_OR_RETURN(const int page_size, base::PageSize(request.page_size()));
  const std::string query = absl::StrCat("waiting/", request.source(), "/", request.late_only() ? "late" : "");
  ASSIGN_OR_RETURN(std::string last, base::DecodePageToken(query, request.page_token()));
  v1::ListWaitingChangesResponse response;
  size_t rows = 0;
  bool more = false;
  RETURN_IF_ERROR(reader.Scan(storage::Space::kRecords, base::keys::AllWaiting(tenant, last), limits::kSearchedRows + 1,
                              [&](std::string_view key, std::string_view value) {
                                more = rows == limits::kSearchedRows || response.changes_size() == page_size;
                                if (more) return false;
                                ++rows;
                                last = std::string(key);
                                AddRow(tenant, request, now, key, value, response);
                                return true;
                              }));
  if (more) response.set_next_page_token(base::EncodePageToken(query, last));
  return response;
}

}  // namespace caresync::roster
