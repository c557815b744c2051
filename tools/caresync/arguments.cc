#include "tools/caresync/arguments.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "server/base/host_port.h"
#include "server/base/limits.h"
#include "server/base/text.h"

namespace caresync::cli {
namespace {

bool EndsALine(const std::string& text) { return text.back() == '\n' || text.back() == '\r'; }

}  // namespace

std::string NotEmpty(const std::string& text) {
  return absl::StripAsciiWhitespace(text).empty() ? "it is empty; give it a value, or leave it out" : "";
}

std::string IsUtf8(const std::string& text) { return base::CountCharacters(text) ? "" : "it is not valid UTF-8"; }

std::string IsServer(const std::string& text) {
  // Nobody listens on port 0.
  return base::WrongHostPort(text, /*least_port=*/1);
}

std::string IsToken(const std::string& text) {
  if (std::string wrong = NotEmpty(text); !wrong.empty()) return wrong;
  if (EndsALine(text)) return "it ends with a line break; give the token alone (as \"$(cat FILE)\" does)";
  if (!std::all_of(text.begin(), text.end(), absl::ascii_isgraph)) {
    return "it holds a space, a control character or a letter that no token has; give the token alone";
  }
  if (text.size() > base::limits::kTokenBytes) {
    return absl::StrCat("it has ", text.size(), " bytes, and a token at most ", base::limits::kTokenBytes);
  }
  return "";
}

std::string IsNote(const std::string& text) {
  if (std::string wrong = NotEmpty(text); !wrong.empty()) return wrong;
  const std::optional<size_t> characters = base::CountCharacters(text);
  if (!characters) return "it is not valid UTF-8";
  if (*characters > base::limits::kNoteCharacters) {
    return absl::StrCat("it has ", *characters, " characters, and a note at most ", base::limits::kNoteCharacters);
  }
  if (EndsALine(text)) return "it ends with a line break; give it without";
  // A note may have lines.
  if (base::HasControlCharacters(absl::StrReplaceAll(text, {{"\n", ""}}))) return "it holds a control character";
  return "";
}

}  // namespace caresync::cli
