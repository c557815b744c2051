#include "server/sync/resume_token.h"

#include "caresync/store/stored.pb.h"
#include "server/base/errors.h"

namespace caresync::sync {
namespace {

constexpr char kPurpose[] = "resume";
constexpr char kUploadsPurpose[] = "uploads";

}  // namespace

std::string SealToken(const base::TokenSealer& sealer, const base::TenantId& tenant, const ResumeToken& token) {
  store::ResumeToken stored;
  stored.set_device_uuid(token.device.ToString());
  stored.set_carer_id(token.carer.ToString());
  stored.set_data_level(token.data_level);
  stored.set_timeline(token.cursor.timeline);
  stored.set_revision(token.cursor.revision);
  stored.set_position_revision(token.position.revision);
  stored.set_position_record(token.position.record.bytes);
  stored.set_rebuild_number(token.rebuild_number);
  if (token.rebuild_began.has_value()) stored.set_rebuild_began_plus_1(*token.rebuild_began + 1);
  return sealer.Seal(kPurpose, tenant.text(), stored.SerializeAsString());
}

absl::StatusOr<ResumeToken> OpenToken(const base::TokenSealer& sealer, const base::TenantId& tenant,
                                      std::string_view sealed) {
  const std::optional<std::string> content = sealer.Open(kPurpose, tenant.text(), sealed);
  store::ResumeToken stored;
  if (!content.has_value() || !stored.ParseFromString(*content)) return base::errors::TokenNotValid();
  const std::optional<base::Uuid> device = base::Uuid::Parse(stored.device_uuid());
  const std::optional<base::Uuid> carer = base::Uuid::Parse(stored.carer_id());
  if (!device.has_value() || !carer.has_value()) return base::errors::TokenNotValid();
  ResumeToken token;
  token.device = *device;
  token.carer = *carer;
  token.data_level = stored.data_level();
  token.cursor = {stored.timeline(), stored.revision()};
  token.position = {stored.position_revision(), {stored.position_record()}};
  token.rebuild_number = stored.rebuild_number();
  if (stored.rebuild_began_plus_1() != 0) token.rebuild_began = stored.rebuild_began_plus_1() - 1;
  return token;
}

std::string SealUploadsToken(const base::TokenSealer& sealer, const base::TenantId& tenant, const UploadsToken& token) {
  store::UploadsToken stored;
  stored.set_device_uuid(token.device.ToString());
  stored.set_carer_id(token.carer.ToString());
  stored.set_timeline(token.cursor.timeline);
  stored.set_revision(token.cursor.revision);
  return sealer.Seal(kUploadsPurpose, tenant.text(), stored.SerializeAsString());
}

std::optional<UploadsToken> OpenUploadsToken(const base::TokenSealer& sealer, const base::TenantId& tenant,
                                             std::string_view sealed) {
  const std::optional<std::string> content = sealer.Open(kUploadsPurpose, tenant.text(), sealed);
  store::UploadsToken stored;
  if (!content.has_value() || !stored.ParseFromString(*content)) return std::nullopt;
  const std::optional<base::Uuid> device = base::Uuid::Parse(stored.device_uuid());
  const std::optional<base::Uuid> carer = base::Uuid::Parse(stored.carer_id());
  if (!device.has_value() || !carer.has_value()) return std::nullopt;
  return UploadsToken{*device, *carer, {stored.timeline(), stored.revision()}};
}

}  // namespace caresync::sync
