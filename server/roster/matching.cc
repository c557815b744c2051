#include "server/roster/matching.h"

#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/status_macros.h"
#include "server/records/record_key.h"

namespace caresync::roster {
namespace {

std::string MatchKey(const base::TenantId& tenant, std::string_view source, v1::RecordKind kind,
                     std::string_view external_id) {
  return base::keys::ExternalId(tenant, source, static_cast<uint8_t>(kind), external_id);
}

}  // namespace

absl::StatusOr<std::optional<base::Uuid>> FindMatch(const storage::Reader& reader, const base::TenantId& tenant,
                                                    std::string_view source, v1::RecordKind kind,
                                                    std::string_view external_id) {
  ASSIGN_OR_RETURN(const std::optional<std::string> row,
                   reader.Get(storage::Space::kRecords, MatchKey(tenant, source, kind, external_id)));
  if (!row.has_value()) return std::optional<base::Uuid>();
  const std::optional<records::RecordName> name = records::NameOf({*row});
  if (!name.has_value() || name->kind != kind) return base::errors::DamagedRow("a match of an external ID");
  return std::optional<base::Uuid>(name->id);
}

absl::StatusOr<base::Uuid> MeantBy(const storage::Reader& reader, const base::TenantId& tenant, std::string_view source,
                                   v1::RecordKind kind, std::string_view external_id) {
  ASSIGN_OR_RETURN(const std::optional<base::Uuid> match, FindMatch(reader, tenant, source, kind, external_id));
  return match.has_value() ? *match : records::IntegratedId(tenant, source, kind, external_id);
}

void SetMatch(commit::Transaction& transaction, std::string_view source, v1::RecordKind kind,
              std::string_view external_id, const base::Uuid& record) {
  transaction.Put(storage::Space::kRecords, MatchKey(transaction.tenant(), source, kind, external_id),
                  records::KeyOf({kind, record}).bytes);
}

}  // namespace caresync::roster
