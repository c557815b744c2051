// Credentials of everybody who takes part in a load test, made with the server's own signing key.
#ifndef CARESYNC_LOADTEST_CREDENTIALS_H_
#define CARESYNC_LOADTEST_CREDENTIALS_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/access/identity.h"
#include "server/access/signing_key.h"

namespace caresync::loadtest {

// Immutable; safe from any thread. Each is the value of the metadata `authorization`, valid for a day.
class Credentials {
 public:
  // Reads the key in the server's data directory. Errors: SigningKey's; INVALID_TENANT_ID.
  static absl::StatusOr<Credentials> Open(const std::string& data_dir, const std::string& tenant);

  // By the same key, of another tenant. Errors: INVALID_TENANT_ID.
  absl::StatusOr<Credentials> InTenant(const std::string& tenant) const;

  // A carer on its device.
  absl::StatusOr<std::string> OfDevice(const std::string& carer_id, const std::string& device_uuid) const;
  // A rostering system.
  absl::StatusOr<std::string> OfSource(const std::string& source) const;
  // Who says who may see a service user.
  absl::StatusOr<std::string> OfAdministrator() const;
  // Who makes tenants.
  absl::StatusOr<std::string> OfOperator() const;

 private:
  Credentials(std::shared_ptr<const access::SigningKey> key, base::TenantId tenant);
  absl::StatusOr<std::string> Mint(access::Identity identity) const;

  std::shared_ptr<const access::SigningKey> key_;
  base::TenantId tenant_;
};

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_CREDENTIALS_H_
