#include "server/rpc/authenticate.h"

#include "server/base/errors.h"

namespace caresync::rpc {

access::Verified Authenticate(access::TokenVerifier& verifier, const grpc::CallbackServerContext& context,
                              RoleSet roles, std::string_view method) {
  const auto& metadata = context.client_metadata();
  const auto [first, last] = metadata.equal_range("authorization");
  if (first == last) return {base::errors::NoCredential(), std::nullopt};
  if (std::next(first) != last) return {base::errors::CredentialNotValid("there is more than one"), std::nullopt};
  access::Verified verified = verifier.Verify({first->second.data(), first->second.size()});
  if (verified.status.ok() && !roles.Has(verified.identity->role)) {
    verified.status = base::errors::RoleNotAllowed(access::RoleName(verified.identity->role), method);
  }
  return verified;
}

absl::Status CheckTenant(const access::Identity& caller, const base::TenantId& tenant) {
  if (caller.role == access::Role::kOperator || caller.tenant == tenant) return absl::OkStatus();
  return base::errors::OtherTenant(tenant.text());
}

}  // namespace caresync::rpc
