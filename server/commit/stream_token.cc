#include "server/commit/stream_token.h"

#include <optional>

#include "caresync/store/stored.pb.h"
#include "server/base/errors.h"
#include "server/base/status_macros.h"
#include "server/commit/timeline.h"

namespace caresync::commit {

absl::StatusOr<StreamPlace> OpenStreamToken(const storage::Reader& reader, const base::TenantId& tenant,
                                            const base::CommitPoint& head, const StreamReader& of,
                                            std::string_view token, const base::TokenSealer& sealer) {
  StreamPlace beginning;
  beginning.began = head.revision;
  if (token.empty()) return beginning;
  const std::optional<std::string> content = sealer.Open(of.stream, tenant.text(), token);
  store::StreamToken stored;
  if (!content.has_value() || !stored.ParseFromString(*content) || stored.reader() != of.name) {
    return base::errors::TokenNotValid();
  }
  ASSIGN_OR_RETURN(const CursorStanding standing, Standing(reader, tenant, {stored.timeline(), stored.revision()}));
  beginning.restarted = standing != CursorStanding::kKnown;
  if (beginning.restarted) return beginning;
  return StreamPlace{
      .revision = stored.position_revision(), .record = stored.position_record(), .began = stored.began()};
}

std::string SealStreamToken(const base::TenantId& tenant, const base::CommitPoint& head, const StreamReader& of,
                            const StreamPlace& place, const base::TokenSealer& sealer) {
  store::StreamToken stored;
  stored.set_reader(std::string(of.name));
  stored.set_timeline(head.timeline);
  stored.set_revision(head.revision);
  stored.set_position_revision(place.revision);
  stored.set_position_record(place.record);
  stored.set_began(place.began);
  return sealer.Seal(of.stream, tenant.text(), stored.SerializeAsString());
}

}  // namespace caresync::commit
