#include "tools/caresync/error_output.h"

#include <unistd.h>

#include <iostream>
#include <string>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "tools/caresync/errors.h"
#include "tools/caresync/json_form.h"
#include "tools/caresync/output.h"

namespace caresync::cli {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
// As a shell tells of a tool that SIGPIPE ended.
constexpr int kExitOutputClosed = 141;

// Lists of candidates come a line each.
std::string PrintableLines(const std::string& text) {
  return absl::StrJoin(absl::StrSplit(text, '\n'), "\n",
                       [](std::string* out, absl::string_view line) { out->append(Printable(std::string(line))); });
}

}  // namespace

void PrintError(const absl::Status& status) {
  std::cerr << Paint("error", Colour::kRed, UsesColour(STDERR_FILENO)) << ": " << Printable(ErrorReason(status)) << ": "
            << PrintableLines(std::string(status.message())) << "\n";
}

nlohmann::ordered_json ErrorJson(const absl::Status& status) {
  return {{"reason", ErrorReason(status)}, {"message", std::string(status.message())}};
}

int TellError(bool json, const absl::Status& status) {
  const bool output_failed = IsOutputError(status);
  // Whoever reads no more, as `head` does, has all that was wanted.
  if (output_failed && absl::IsCancelled(status)) return kExitOutputClosed;
  if (json && !output_failed) {
    PrintJson({{"error", ErrorJson(status)}});
  } else {
    PrintError(status);
  }
  return IsUsageError(status) ? kExitUsage : kExitFailed;
}

}  // namespace caresync::cli
