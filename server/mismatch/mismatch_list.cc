#include "server/mismatch/mismatch_list.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/page.h"
#include "server/base/status_macros.h"
#include "server/base/uuid.h"
#include "server/mismatch/mismatch_rows.h"
#include "server/mismatch/teller.h"

namespace caresync::mismatch {
namespace {

namespace errors = base::errors;
namespace keys = base::keys;
using storage::Space;

// Which of them are wanted.
struct Filter {
  std::optional<base::Uuid> carer;
  // Empty: of all.
  std::string branch_id;
};

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

}  // namespace

absl::StatusOr<v1::ListMismatchesResponse> ListMismatches(const storage::Reader& reader, const base::TenantId& tenant,
                                                          const v1::ListMismatchesRequest& request,
                                                          const devices::AsOf& as_of) {
  ASSIGN_OR_RETURN(const Filter filter, FilterIn(request));
  ASSIGN_OR_RETURN(const int page_size, base::PageSize(request.page_size()));
  const std::string query =
      absl::StrCat("mismatches/", request.ended(), "/", request.carer_id(), "/", request.branch_id());
  ASSIGN_OR_RETURN(const std::string after, base::DecodePageToken(query, request.page_token()));
  // A token is text that a caller may have changed: it must not lead to another table, or another tenant.
  const storage::KeyRange all = keys::ListedMismatches(tenant, request.ended(), "");
  if (!after.empty() && (after < all.begin || after >= all.end)) return errors::PageTokenNotValid();

  ASSIGN_OR_RETURN(const std::vector<Listed> listed, ReadListed(reader, tenant, request.ended(), after));
  Teller teller(reader, tenant, as_of);
  v1::ListMismatchesResponse response;
  for (size_t i = 0; i < listed.size(); ++i) {
    const Listed& next = listed[i];
    const bool of_carer = !filter.carer.has_value() || *filter.carer == next.of.carer;
    std::optional<store::Mismatch> row;
    if (of_carer) {
      ASSIGN_OR_RETURN(row, GetUndamaged(reader, tenant, next.of));
    }
    // The place of a row that could not be read and was replaced since may be left.
    const bool stands = row.has_value() && next.key == ListedKey(tenant, next.of, *row);
    if (stands && (filter.branch_id.empty() || filter.branch_id == row->branch_id())) {
      ASSIGN_OR_RETURN(*response.add_mismatches(), teller.Tell(next.of, *row));
    }
    const bool full = response.mismatches_size() == page_size;
    const bool more = i + 1 < listed.size() || listed.size() == base::limits::kSearchedRows;
    if (more && (full || i + 1 == listed.size())) {
      response.set_next_page_token(base::EncodePageToken(query, next.key));
      break;
    }
  }
  return response;
}

}  // namespace caresync::mismatch
