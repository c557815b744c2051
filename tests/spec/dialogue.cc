#include "tests/spec/dialogue.h"

#include <fstream>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace caresync::spec {

Dialogue ReadDialogue(const std::string& path) {
  std::ifstream file(path);
  ABSL_RAW_CHECK(file.is_open(), path.c_str());
  Dialogue dialogue{path, {}};
  std::vector<Line> common;
  int number = 0;
  for (std::string text; std::getline(file, text);) {
    ++number;
    absl::StripAsciiWhitespace(&text);
    if (absl::StartsWith(text, "## ")) {
      dialogue.sections.push_back({text.substr(3), common});
    } else if (!text.empty() && text.front() != '#') {
      (dialogue.sections.empty() ? common : dialogue.sections.back().lines).push_back({number, text});
    }
  }
  ABSL_RAW_CHECK(!dialogue.sections.empty(), path.c_str());
  return dialogue;
}

}  // namespace caresync::spec
