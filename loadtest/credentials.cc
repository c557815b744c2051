#include "loadtest/credentials.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/base/status_macros.h"

namespace caresync::loadtest {
namespace {

// Longer than any run.
constexpr absl::Duration kLifetime = absl::Hours(24);

}  // namespace

Credentials::Credentials(std::shared_ptr<const access::SigningKey> key, base::TenantId tenant)
    : key_(std::move(key)), tenant_(std::move(tenant)) {}

absl::StatusOr<Credentials> Credentials::Open(const std::string& data_dir, const std::string& tenant) {
  ASSIGN_OR_RETURN(base::TenantId tenant_id, base::TenantId::Parse(tenant));
  ASSIGN_OR_RETURN(std::shared_ptr<const access::SigningKey> key,
                   access::SigningKey::Open(absl::StrCat(data_dir, "/keys/signing_key.json")));
  return Credentials(std::move(key), std::move(tenant_id));
}

absl::StatusOr<Credentials> Credentials::InTenant(const std::string& tenant) const {
  ASSIGN_OR_RETURN(base::TenantId tenant_id, base::TenantId::Parse(tenant));
  return Credentials(key_, std::move(tenant_id));
}

absl::StatusOr<std::string> Credentials::OfDevice(const std::string& carer_id, const std::string& device_uuid) const {
  access::Identity identity;
  identity.role = access::Role::kCarer;
  identity.tenant = tenant_;
  identity.subject = carer_id;
  identity.device = base::Uuid::Parse(device_uuid);
  return Mint(std::move(identity));
}

absl::StatusOr<std::string> Credentials::OfSource(const std::string& source) const {
  access::Identity identity;
  identity.role = access::Role::kRostering;
  identity.tenant = tenant_;
  identity.subject = source;
  return Mint(std::move(identity));
}

absl::StatusOr<std::string> Credentials::OfAdministrator() const {
  access::Identity identity;
  identity.role = access::Role::kAdministrator;
  identity.tenant = tenant_;
  identity.subject = "fleetload";
  return Mint(std::move(identity));
}

absl::StatusOr<std::string> Credentials::OfOperator() const {
  access::Identity identity;
  identity.role = access::Role::kOperator;
  identity.subject = "fleetload";
  return Mint(std::move(identity));
}

absl::StatusOr<std::string> Credentials::Mint(access::Identity identity) const {
  const absl::Time now = absl::Now();
  identity.expires = now + kLifetime;
  ASSIGN_OR_RETURN(const std::string token, key_->Mint(identity, now));
  return absl::StrCat("Bearer ", token);
}

}  // namespace caresync::loadtest
