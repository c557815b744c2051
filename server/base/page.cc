#include "server/base/page.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "storage/tuple.h"

namespace caresync::base {

absl::StatusOr<int> PageSize(int requested) {
  if (requested < 0 || requested > limits::kPageSizeMost) {
    return errors::InvalidArgument("page_size", absl::StrCat("is ", requested, "; give 0 to ", limits::kPageSizeMost));
  }
  return requested == 0 ? limits::kPageSize : requested;
}

std::string EncodePageToken(std::string_view query, std::string_view after) {
  return absl::WebSafeBase64Escape(storage::TupleWriter().String(query).Raw(after).Take());
}

absl::StatusOr<std::string> DecodePageToken(std::string_view query, std::string_view token) {
  if (token.empty()) return std::string();
  std::string bytes;
  if (!absl::WebSafeBase64Unescape(std::string(token), &bytes)) return errors::PageTokenNotValid();
  storage::TupleReader reader(bytes);
  std::string token_query;
  if (!reader.String(&token_query) || token_query != query || reader.AtEnd()) return errors::PageTokenNotValid();
  return std::string(reader.rest());
}

}  // namespace caresync::base
