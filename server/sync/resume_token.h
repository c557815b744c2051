// The tokens that a device keeps for one carer: where its copy stands, and up to where its events were taken. Opaque to
// the device, authenticated, bound to their tenant.
#ifndef CARESYNC_SERVER_SYNC_RESUME_TOKEN_H_
#define CARESYNC_SERVER_SYNC_RESUME_TOKEN_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/base/ids.h"
#include "server/base/sealed_token.h"
#include "server/base/uuid.h"
#include "server/feed/feed_entry.h"

namespace caresync::sync {

// A value.
struct ResumeToken {
  base::Uuid device;
  base::Uuid carer;
  uint32_t data_level = 0;
  // The head in the snapshot that the batch was read from: after a restore a record may fall back behind the position,
  // so it is this that must be known.
  base::CommitPoint cursor;
  feed::Position position;
  // Numbers the copies of this device and carer.
  uint64_t rebuild_number = 0;
  // During a rebuild: the revision S at which it began.
  std::optional<base::Revision> rebuild_began;

  bool operator==(const ResumeToken&) const = default;
};

std::string SealToken(const base::TokenSealer& sealer, const base::TenantId& tenant, const ResumeToken& token);

// Errors: TOKEN_NOT_VALID where it was not made by this store for this tenant.
absl::StatusOr<ResumeToken> OpenToken(const base::TokenSealer& sealer, const base::TenantId& tenant,
                                      std::string_view sealed);

// Up to where the store held a carer's events from a device. A value.
struct UploadsToken {
  base::Uuid device;
  base::Uuid carer;
  // The head after the last of them was taken.
  base::CommitPoint cursor;

  bool operator==(const UploadsToken&) const = default;
};

std::string SealUploadsToken(const base::TokenSealer& sealer, const base::TenantId& tenant, const UploadsToken& token);

// nullopt where it was not made by this store for this tenant.
std::optional<UploadsToken> OpenUploadsToken(const base::TokenSealer& sealer, const base::TenantId& tenant,
                                             std::string_view sealed);

}  // namespace caresync::sync

#endif  // CARESYNC_SERVER_SYNC_RESUME_TOKEN_H_
