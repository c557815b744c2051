#include "server/roster/carers.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/page.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/records/record_key.h"
#include "server/records/record_store.h"
#include "storage/tuple.h"

namespace caresync::roster {
namespace {

namespace errors = base::errors;
namespace limits = base::limits;
using base::RecordKey;

struct Query {
  size_t page_size = 0;
  // In lower case.
  std::string search;
  std::string external_id;
  // What a page token belongs to.
  std::string identity;
  RecordKey after;
};

absl::StatusOr<Query> ParseQuery(const v1::ListCarersRequest& request) {
  Query query;
  ASSIGN_OR_RETURN(const int page_size, base::PageSize(request.page_size()));
  query.page_size = static_cast<size_t>(page_size);
  if (request.search().size() > limits::kSearchBytes) {
    return errors::InvalidArgument(
        "search", absl::StrCat("has ", request.search().size(), " bytes; at most ", limits::kSearchBytes));
  }
  query.search = absl::AsciiStrToLower(request.search());
  query.external_id = request.external_id();
  query.identity = storage::TupleWriter().String(query.search).String(query.external_id).Take();
  ASSIGN_OR_RETURN(query.after.bytes, base::DecodePageToken(query.identity, request.page_token()));
  return query;
}

bool Holds(const std::string& text, const std::string& search) {
  return absl::AsciiStrToLower(text).find(search) != std::string::npos;
}

bool IsFound(const Query& query, const store::Record& record, const v1::Carer& carer) {
  const std::string& external_id = record.origin().external_id();
  if (!query.external_id.empty() && external_id != query.external_id) return false;
  return query.search.empty() || Holds(carer.name(), query.search) || Holds(external_id, query.search);
}

v1::CarerSummary Summarise(const store::Record& record, const v1::Carer& carer) {
  v1::CarerSummary summary;
  summary.set_carer_id(record.record_id());
  summary.set_name(carer.name());
  summary.set_source(record.origin().source());
  summary.set_external_id(record.origin().external_id());
  summary.set_branch_id(carer.branch_id());
  return summary;
}

// Adds the row to the page where it is found.
absl::Status AddRow(const Query& query, std::string_view value, v1::ListCarersResponse& response) {
  ASSIGN_OR_RETURN(const store::Record record, base::ParseStored<store::Record>(value));
  ASSIGN_OR_RETURN(const v1::Carer carer, base::ParseStored<v1::Carer>(record.payload()));
  if (IsFound(query, record, carer)) *response.add_carers() = Summarise(record, carer);
  return absl::OkStatus();
}

// Names the branches of the page, each read once.
absl::Status NameBranches(const storage::Reader& reader, const base::TenantId& tenant,
                          v1::ListCarersResponse& response) {
  std::map<std::string, std::string> names;
  for (v1::CarerSummary& summary : *response.mutable_carers()) {
    const std::optional<base::Uuid> id = base::Uuid::Parse(summary.branch_id());
    if (!id.has_value()) continue;
    const auto [name, is_new] = names.try_emplace(summary.branch_id());
    if (is_new) {
      ASSIGN_OR_RETURN(const std::optional<store::Record> record,
                       records::GetRecord(reader, tenant, records::KeyOf({v1::RECORD_KIND_BRANCH, *id})));
      // Of a carer who left, the branch may never have come.
      if (!record.has_value()) continue;
      ASSIGN_OR_RETURN(const v1::Branch branch, base::ParseStored<v1::Branch>(record->payload()));
      name->second = branch.name();
    }
    summary.set_branch_name(name->second);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::ListCarersResponse> ListCarers(const storage::Reader& reader, const base::TenantId& tenant,
                                                  const v1::ListCarersRequest& request) {
  ASSIGN_OR_RETURN(const Query query, ParseQuery(request));
  v1::ListCarersResponse response;
  RecordKey last = query.after;
  size_t rows = 0;
  bool more = false;
  absl::Status damage;
  RETURN_IF_ERROR(reader.Scan(
      storage::Space::kRecords, base::keys::Records(tenant, records::KeyPrefix(v1::RECORD_KIND_CARER), query.after),
      limits::kSearchedRows + 1, [&](std::string_view key, std::string_view value) {
        more = rows == limits::kSearchedRows || static_cast<size_t>(response.carers_size()) == query.page_size;
        if (more) return false;
        ++rows;
        damage = base::keys::ParseRecord(key, &last) ? AddRow(query, value, response) : errors::DamagedRow("record");
        return damage.ok();
      }));
  RETURN_IF_ERROR(damage);
  if (more) response.set_next_page_token(base::EncodePageToken(query.identity, last.bytes));
  RETURN_IF_ERROR(NameBranches(reader, tenant, response));
  return response;
}

}  // namespace caresync::roster
