#include "server/records/attachments.h"

#include <cstddef>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "server/base/limits.h"
#include "server/base/text.h"
#include "server/base/uuid.h"

namespace caresync::records {
namespace {

namespace limits = base::limits;

constexpr size_t kSha256Bytes = 32;

bool IsUrl(std::string_view text) {
  const std::optional<size_t> characters = base::CountCharacters(text);
  constexpr std::string_view kBeginning = "https://";
  return characters.has_value() && *characters <= limits::kAttachmentUrlCharacters && text.size() > kBeginning.size() &&
         text.substr(0, kBeginning.size()) == kBeginning;
}

// Empty: nothing.
std::string_view FaultOf(const v1::Attachment& attachment) {
  if (!base::Uuid::Parse(attachment.attachment_id()).has_value()) return "has an attachment_id that is no UUID";
  if (attachment.sha256().size() != kSha256Bytes) return "has a sha256 that is not 32 bytes";
  if (attachment.size_bytes() == 0) return "has no size_bytes";
  return IsUrl(attachment.url()) ? "" : "has a url that is not https://... of at most 2,048 characters";
}

}  // namespace

std::optional<std::string> FaultOf(const google::protobuf::RepeatedPtrField<v1::Attachment>& attachments) {
  if (attachments.size() > limits::kAttachments) {
    return absl::StrCat("are ", attachments.size(), "; at most ", limits::kAttachments, " are taken");
  }
  for (int i = 0; i < attachments.size(); ++i) {
    const std::string_view fault = FaultOf(attachments[i]);
    if (!fault.empty()) return absl::StrCat("number ", i + 1, " ", std::string(fault));
  }
  return std::nullopt;
}

}  // namespace caresync::records
