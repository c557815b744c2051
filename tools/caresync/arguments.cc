#include "tools/caresync/arguments.h"

namespace caresync::cli {

std::string NotEmpty(const std::string& text) {
  return text.find_first_not_of(" \t") == std::string::npos ? "it is empty; give it a value, or leave it out" : "";
}

}  // namespace caresync::cli
