#include "server/mismatch/mismatch_list.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "google/protobuf/timestamp.pb.h"
#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/page.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/base/uuid.h"
#include "server/mismatch/due.h"
#include "server/mismatch/mismatch_groups.h"
#include "server/mismatch/mismatch_rows.h"
#include "server/mismatch/teller.h"
#include "server/mismatch/wording.h"

namespace caresync::mismatch {
namespace {

namespace errors = base::errors;
namespace keys = base::keys;
using google::protobuf::Timestamp;
using storage::Space;

// Which of them are wanted.
struct Filter {
  std::optional<base::Uuid> carer;
  // Empty: of all.
  std::string branch_id;
  // Of the last change.
  absl::Time changed_from = absl::InfinitePast();
  absl::Time changed_until = absl::InfiniteFuture();
  // Where one of them is given: only those whose phone is silent or failing, of its last sync.
  std::optional<absl::Time> last_sync_from;
  std::optional<absl::Time> last_sync_until;

  bool Takes(const store::Mismatch& row) const {
    const absl::Time changed = base::FromStoredTime(row.last_change_us());
    return (branch_id.empty() || branch_id == row.branch_id()) && changed >= changed_from && changed <= changed_until;
  }
  bool AsksForSilent() const { return last_sync_from.has_value() || last_sync_until.has_value(); }
  bool TakesSilent(absl::Time last_sync) const {
    return last_sync >= last_sync_from.value_or(absl::InfinitePast()) &&
           last_sync <= last_sync_until.value_or(absl::InfiniteFuture());
  }
};

// nullopt where it is not given.
absl::StatusOr<std::optional<absl::Time>> TimeIn(const char* field, bool is_given, const Timestamp& given) {
  if (!is_given) return std::optional<absl::Time>();
  const std::optional<absl::Time> time = base::FromTimestamp(given);
  if (!time.has_value()) return errors::InvalidArgument(field, "is no time");
  return time;
}

absl::StatusOr<Filter> FilterIn(const v1::ListMismatchesRequest& request) {
  Filter filter;
  if (!request.carer_id().empty()) {
    filter.carer = base::Uuid::Parse(request.carer_id());
    if (!filter.carer.has_value()) return errors::InvalidArgument("carer_id", "is no UUID");
  }
  if (!request.branch_id().empty()) {
    const std::optional<base::Uuid> branch = base::Uuid::Parse(request.branch_id());
    if (!branch.has_value()) return errors::InvalidArgument("branch_id", "is no UUID");
    filter.branch_id = branch->ToString();
  }
  ASSIGN_OR_RETURN(const std::optional<absl::Time> changed_from,
                   TimeIn("changed_from_time", request.has_changed_from_time(), request.changed_from_time()));
  ASSIGN_OR_RETURN(const std::optional<absl::Time> changed_until,
                   TimeIn("changed_until_time", request.has_changed_until_time(), request.changed_until_time()));
  ASSIGN_OR_RETURN(filter.last_sync_from,
                   TimeIn("last_sync_from_time", request.has_last_sync_from_time(), request.last_sync_from_time()));
  ASSIGN_OR_RETURN(filter.last_sync_until,
                   TimeIn("last_sync_until_time", request.has_last_sync_until_time(), request.last_sync_until_time()));
  filter.changed_from = changed_from.value_or(filter.changed_from);
  filter.changed_until = changed_until.value_or(filter.changed_until);
  if (request.group() && request.ended()) {
    return errors::InvalidArgument("group", "is for open mismatches, not for those that have ended");
  }
  if (filter.AsksForSilent() && request.ended()) {
    return errors::InvalidArgument(filter.last_sync_from.has_value() ? "last_sync_from_time" : "last_sync_until_time",
                                   "is for open mismatches, not for those that have ended");
  }
  return filter;
}

// The place of a mismatch in the list.
struct Listed {
  std::string key;
  CarerVisit of;
};

absl::StatusOr<std::vector<Listed>> ReadListed(const storage::Reader& reader, const base::TenantId& tenant, bool ended,
                                               const std::string& after) {
  std::vector<Listed> listed;
  bool damaged = false;
  RETURN_IF_ERROR(reader.Scan(Space::kRecords, keys::ListedMismatches(tenant, ended, after),
                              base::limits::kSearchedRows, [&](std::string_view key, std::string_view) {
                                Listed& next = listed.emplace_back();
                                next.key = std::string(key);
                                damaged = !keys::ParseListedMismatch(key, &next.of.carer, &next.of.visit);
                                return !damaged;
                              }));
  if (damaged) return errors::DamagedRow("a listed mismatch's key");
  return listed;
}

// nullopt where the filter does not take it; and where its row cannot be read, or was replaced since it could not:
// then its place is what is left of it.
absl::StatusOr<std::optional<store::Mismatch>> ReadWanted(const storage::Reader& reader, const base::TenantId& tenant,
                                                          const Filter& filter, const Listed& listed, Teller& teller) {
  if (filter.carer.has_value() && *filter.carer != listed.of.carer) return std::optional<store::Mismatch>();
  ASSIGN_OR_RETURN(std::optional<store::Mismatch> row, GetUndamaged(reader, tenant, listed.of));
  const bool stands = row.has_value() && listed.key == ListedKey(tenant, listed.of, *row);
  if (!stands || !filter.Takes(*row)) row.reset();
  if (!row.has_value() || !filter.AsksForSilent()) return row;
  ASSIGN_OR_RETURN(const std::optional<absl::Time> last_sync,
                   teller.LastSyncOfSilent(listed.of.carer, base::FromStoredTime(row->first_change_us())));
  if (!last_sync.has_value() || !filter.TakesSilent(*last_sync)) row.reset();
  return row;
}

absl::StatusOr<v1::MismatchGroup> TellGroup(const GroupLine& line, const CarerVisit& most_urgent,
                                            const store::Mismatch& row, Teller& teller) {
  v1::MismatchGroup group;
  group.set_kind(line.kind);
  ASSIGN_OR_RETURN(*group.mutable_most_urgent(), teller.Tell(most_urgent, row));
  group.set_count(static_cast<uint32_t>(line.count));
  group.set_carer_count(static_cast<uint32_t>(line.carers.size()));
  *group.mutable_soonest_start_time() = base::ToTimestamp(StartThatCounts(row));
  ASSIGN_OR_RETURN(const uint32_t without_device, teller.CountWithoutDevice(line.carers));
  group.set_carers_without_device(without_device);
  base::SetTime(base::ToStoredTime(line.earliest_change), [&] { return group.mutable_changed_from_time(); });
  base::SetTime(base::ToStoredTime(line.latest_change), [&] { return group.mutable_changed_until_time(); });
  if (line.kind == v1::MISMATCH_GROUP_KIND_OUTAGE) {
    *group.mutable_last_sync_from_time() = base::ToTimestamp(line.earliest_sync);
    *group.mutable_last_sync_until_time() = base::ToTimestamp(line.latest_sync);
  }
  ASSIGN_OR_RETURN(const absl::TimeZone zone, teller.Zone());
  group.set_headline(Headline(group, zone));
  group.set_advice(Advice(group));
  return group;
}

// Those of carers whose phones are silent or failing get the time of their last sync. Where there are too few for an
// outage nothing is read.
absl::Status SetLastSyncs(const std::vector<absl::Time>& first_changes, Teller& teller,
                          std::vector<Groupable>& wanted) {
  if (wanted.size() <= base::limits::kMismatchesOutsideABurst) return absl::OkStatus();
  for (size_t i = 0; i < wanted.size(); ++i) {
    ASSIGN_OR_RETURN(wanted[i].last_sync, teller.LastSyncOfSilent(wanted[i].carer, first_changes[i]));
  }
  return absl::OkStatus();
}

// Adds the groups of those that are listed, as many as a page has. Returns how many of these, from the first one on,
// are in them or not wanted.
absl::StatusOr<size_t> AddGroups(const storage::Reader& reader, const base::TenantId& tenant, const Filter& filter,
                                 const std::vector<Listed>& listed, size_t page_size, Teller& teller,
                                 v1::ListMismatchesResponse& response) {
  // The rows are not kept: with what people wrote to them they may be large.
  std::vector<Groupable> wanted;
  std::vector<absl::Time> first_changes;
  std::vector<size_t> places;
  for (size_t i = 0; i < listed.size(); ++i) {
    ASSIGN_OR_RETURN(const std::optional<store::Mismatch> row, ReadWanted(reader, tenant, filter, listed[i], teller));
    if (!row.has_value()) continue;
    first_changes.push_back(base::FromStoredTime(row->first_change_us()));
    wanted.push_back({.carer = listed[i].of.carer,
                      .last_change = base::FromStoredTime(row->last_change_us()),
                      .last_sync = std::nullopt,
                      .snoozed = row->state() == store::Mismatch::SNOOZED});
    places.push_back(i);
  }
  RETURN_IF_ERROR(SetLastSyncs(first_changes, teller, wanted));
  const GroupLines grouped = GroupMismatches(wanted, page_size);
  for (const GroupLine& line : grouped.lines) {
    const Listed& first = listed[places[line.first]];
    ASSIGN_OR_RETURN(const std::optional<store::Mismatch> row, ReadWanted(reader, tenant, filter, first, teller));
    if (!row.has_value()) return errors::DamagedRow("a mismatch that was there when it was grouped");
    ASSIGN_OR_RETURN(*response.add_groups(), TellGroup(line, first.of, *row, teller));
  }
  return grouped.reached == wanted.size() ? listed.size() : places[grouped.reached];
}

// The same, one by one.
absl::StatusOr<size_t> AddMismatches(const storage::Reader& reader, const base::TenantId& tenant, const Filter& filter,
                                     const std::vector<Listed>& listed, int page_size, Teller& teller,
                                     v1::ListMismatchesResponse& response) {
  size_t done = 0;
  for (; done < listed.size() && response.mismatches_size() < page_size; ++done) {
    ASSIGN_OR_RETURN(const std::optional<store::Mismatch> row,
                     ReadWanted(reader, tenant, filter, listed[done], teller));
    if (!row.has_value()) continue;
    ASSIGN_OR_RETURN(*response.add_mismatches(), teller.Tell(listed[done].of, *row));
  }
  return done;
}

// What a token of another list does not go on with.
std::string QueryOf(const v1::ListMismatchesRequest& request) {
  return absl::StrCat(
      "mismatches/", request.ended(), "/", request.carer_id(), "/", request.branch_id(), "/", request.group(), "/",
      request.changed_from_time().SerializeAsString(), "/", request.changed_until_time().SerializeAsString(), "/",
      request.last_sync_from_time().SerializeAsString(), "/", request.last_sync_until_time().SerializeAsString());
}

}  // namespace

absl::StatusOr<v1::ListMismatchesResponse> ListMismatches(const storage::Reader& reader, const base::TenantId& tenant,
                                                          const v1::ListMismatchesRequest& request,
                                                          const devices::AsOf& as_of) {
  ASSIGN_OR_RETURN(const Filter filter, FilterIn(request));
  ASSIGN_OR_RETURN(const int page_size, base::PageSize(request.page_size()));
  const std::string query = QueryOf(request);
  ASSIGN_OR_RETURN(const std::string after, base::DecodePageToken(query, request.page_token()));
  // A token is text that a caller may have changed: it must not lead to another table, or another tenant.
  const storage::KeyRange all = keys::ListedMismatches(tenant, request.ended(), "");
  if (!after.empty() && (after < all.begin || after >= all.end)) return errors::PageTokenNotValid();

  ASSIGN_OR_RETURN(const std::vector<Listed> listed, ReadListed(reader, tenant, request.ended(), after));
  Teller teller(reader, tenant, as_of);
  v1::ListMismatchesResponse response;
  ASSIGN_OR_RETURN(const size_t done,
                   request.group()
                       ? AddGroups(reader, tenant, filter, listed, static_cast<size_t>(page_size), teller, response)
                       : AddMismatches(reader, tenant, filter, listed, page_size, teller, response));
  const bool more = done < listed.size() || listed.size() == base::limits::kSearchedRows;
  if (more) response.set_next_page_token(base::EncodePageToken(query, listed[done - 1].key));
  return response;
}

}  // namespace caresync::mismatch
