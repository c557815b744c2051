// Pages of lists: sizes and tokens. A page token is the base64url text of the key after which the next page begins,
// with the order and filters that it belongs to; it grants nothing, so it is not sealed. Pure functions.
#ifndef CARESYNC_SERVER_BASE_PAGE_H_
#define CARESYNC_SERVER_BASE_PAGE_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace caresync::base {

// The size to use: limits::kPageSize for 0. Errors: INVALID_FIELD below 0 or above limits::kPageSizeMost.
absl::StatusOr<int> PageSize(int requested);

// `query` is whatever must be the same for the next page, such as filters and order.
std::string EncodePageToken(std::string_view query, std::string_view after);
// The key to go on after; empty for an empty token. Errors: PAGE_TOKEN_NOT_VALID, for another query's token too.
absl::StatusOr<std::string> DecodePageToken(std::string_view query, std::string_view token);

}  // namespace caresync::base

#endif  // CARESYNC_SERVER_BASE_PAGE_H_
