// Who may make a call: the credential in its metadata, and its role.
#ifndef CARESYNC_SERVER_RPC_AUTHENTICATE_H_
#define CARESYNC_SERVER_RPC_AUTHENTICATE_H_

#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "absl/status/status.h"
#include "grpcpp/server_context.h"
#include "server/access/identity.h"
#include "server/access/token_verifier.h"
#include "server/base/ids.h"

namespace caresync::rpc {

class RoleSet {
 public:
  constexpr RoleSet(std::initializer_list<access::Role> roles) {
    for (access::Role role : roles) bits_ |= Bit(role);
  }
  constexpr bool Has(access::Role role) const { return (bits_ & Bit(role)) != 0; }

 private:
  static constexpr uint32_t Bit(access::Role role) { return uint32_t{1} << static_cast<int>(role); }
  uint32_t bits_ = 0;
};

// Whether the credential of the call is a good one of one of `roles`. The identity is set also where it is refused for
// being expired, not valid yet or valid for too long, or of another role. Statuses: those of TokenVerifier,
// ROLE_NOT_ALLOWED. Blocks for nothing; safe from any thread.
access::Verified Authenticate(access::TokenVerifier& verifier, const grpc::CallbackServerContext& context,
                              RoleSet roles, std::string_view method);

// A caller other than an operator acts for its own tenant only. Status: OTHER_TENANT.
absl::Status CheckTenant(const access::Identity& caller, const base::TenantId& tenant);

}  // namespace caresync::rpc

#endif  // CARESYNC_SERVER_RPC_AUTHENTICATE_H_
