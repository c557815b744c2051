#include "loadtest/dialogues.h"

#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/util/delimited_message_util.h"
#include "server/base/status_macros.h"
#include "tools/caresync/errors.h"
#include "tools/caresync/files.h"

namespace caresync::loadtest {
namespace {

using google::protobuf::util::ParseDelimitedFromZeroCopyStream;
using google::protobuf::util::SerializeDelimitedToOstream;

// The largest such file that is read.
constexpr size_t kDialogueBytes = size_t{1} << 30;

absl::Status NoDialogues(const std::string& file, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(
      file, ": ", what, "; such a file is made by fleetload --scenario record --dialogues FILE, with this program"));
}

}  // namespace

absl::Status WriteDialogues(const std::string& file, const std::vector<Dialogue>& dialogues) {
  std::ostringstream bytes;
  bool ok = true;
  for (const Dialogue& dialogue : dialogues) {
    v1::SyncRequest request;
    request.mutable_start()->set_carer_id(dialogue.carer_id);
    request.mutable_start()->set_sync_type(dialogue.type);
    ok = ok && SerializeDelimitedToOstream(request, &bytes);
    for (const v1::SyncResponse& response : dialogue.responses) {
      ok = ok && SerializeDelimitedToOstream(response, &bytes);
    }
  }
  return ok ? cli::ReplaceFile(file, std::move(bytes).str()) : cli::errors::FileNotWritable(file);
}

absl::StatusOr<std::vector<Dialogue>> ReadDialogues(const std::string& file) {
  ASSIGN_OR_RETURN(const std::string bytes, cli::ReadFile(file, kDialogueBytes));
  google::protobuf::io::ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
  std::vector<Dialogue> dialogues;
  bool clean_eof = false;
  v1::SyncRequest request;
  while (ParseDelimitedFromZeroCopyStream(&request, &stream, &clean_eof)) {
    if (!request.has_start()) return NoDialogues(file, "a sync has no beginning");
    Dialogue& dialogue = dialogues.emplace_back();
    dialogue.carer_id = request.start().carer_id();
    dialogue.type = request.start().sync_type();
    do {
      if (!ParseDelimitedFromZeroCopyStream(&dialogue.responses.emplace_back(), &stream, &clean_eof)) {
        return NoDialogues(file, "a sync has no end");
      }
    } while (!dialogue.responses.back().has_sync_recorded());
    request.Clear();
  }
  if (!clean_eof) return NoDialogues(file, "it holds what is no message");
  if (dialogues.empty()) return NoDialogues(file, "it holds no sync");
  return dialogues;
}

}  // namespace caresync::loadtest
