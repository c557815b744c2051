#include "server/roster/take_message.h"

#include <utility>
#include <vector>

#include "server/base/errors.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/commit/timeline.h"
#include "server/restore/standing.h"
#include "server/roster/apply_changes.h"

namespace caresync::roster {
namespace {

v1::StoreRestored ToProto(const commit::PastCommit& commit) {
  v1::StoreRestored restored;
  restored.mutable_head()->set_revision(commit.point.revision);
  restored.mutable_head()->set_timeline(commit.point.timeline);
  if (commit.time != absl::InfinitePast()) *restored.mutable_head_time() = base::ToTimestamp(commit.time);
  return restored;
}

absl::Status TakeLastSeen(commit::Transaction& transaction, const SourceStream& stream, const v1::CommitPoint& given,
                          v1::ApplyChangesResponse& response) {
  const base::CommitPoint seen{given.timeline(), given.revision()};
  // No commit has such a name: the source says that it has seen none.
  if (seen == base::CommitPoint{}) return absl::OkStatus();
  ASSIGN_OR_RETURN(const commit::CursorStanding standing, commit::Standing(transaction, transaction.tenant(), seen));
  // An expired one lies before all that a restore can have taken back.
  if (standing != commit::CursorStanding::kForeign) {
    return restore::ConfirmKnown(transaction, stream.source, stream.opening);
  }
  ASSIGN_OR_RETURN(const commit::PastCommit common,
                   restore::NoteForeign(transaction, stream.source, stream.opening, seen));
  *response.mutable_store_restored() = ToProto(common);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::ApplyChangesResponse> TakeMessage(commit::Transaction& transaction, const SourceStream& stream,
                                                     bool first, const v1::ApplyChangesRequest& request) {
  if (!first && request.has_last_commit_seen()) {
    return base::errors::InvalidArgument("last_commit_seen", "belongs in a stream's first message only");
  }
  v1::ApplyChangesResponse response;
  ASSIGN_OR_RETURN(std::vector<v1::ChangeResult> results, ApplyMessage(transaction, stream.source, request));
  for (v1::ChangeResult& result : results) *response.add_results() = std::move(result);
  RETURN_IF_ERROR(TakeLastSeen(transaction, stream, request.last_commit_seen(), response));
  if (request.resent()) RETURN_IF_ERROR(restore::ConfirmResent(transaction, stream.source, stream.opening));
  RETURN_IF_ERROR(restore::NoteActivity(transaction, stream.source));
  return response;
}

}  // namespace caresync::roster
