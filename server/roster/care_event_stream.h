// A source's care events as a resumable feed.
#ifndef CARESYNC_SERVER_ROSTER_CARE_EVENT_STREAM_H_
#define CARESYNC_SERVER_ROSTER_CARE_EVENT_STREAM_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "caresync/store/stored.pb.h"
#include "caresync/v1/roster.pb.h"
#include "server/base/ids.h"
#include "server/base/sealed_token.h"
#include "storage/store.h"

namespace caresync::roster {

// Reads the next message of `source`'s events after `resume_token` (empty: from the beginning), all from one snapshot.
// A token of a store that this one does not know, or behind what is still remembered, reads from the beginning and says
// `restarted`. An event whose row is damaged away is logged and left out.
//
// Errors: TOKEN_NOT_VALID for a token that was not made here for this tenant and source; those of reading.
absl::StatusOr<v1::StreamCareEventsResponse> ReadCareEvents(const storage::Reader& reader, const base::TenantId& tenant,
                                                            const std::string& source, std::string_view resume_token,
                                                            const base::TokenSealer& sealer);

}  // namespace caresync::roster

#endif  // CARESYNC_SERVER_ROSTER_CARE_EVENT_STREAM_H_
