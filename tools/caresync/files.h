// Whole files, for commands that take or keep one.
#ifndef CARESYNC_TOOLS_CARESYNC_FILES_H_
#define CARESYNC_TOOLS_CARESYNC_FILES_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace caresync::cli {

// Errors: FILE_NOT_READABLE.
absl::StatusOr<std::string> ReadFile(const std::string& file);
// As ReadFile; empty where there is no such file.
absl::StatusOr<std::string> ReadFileIfAny(const std::string& file);
// As a whole, so that a kill leaves what was there or what is to be there. Errors: FILE_NOT_WRITABLE.
absl::Status ReplaceFile(const std::string& file, const std::string& content);

}  // namespace caresync::cli

#endif  // CARESYNC_TOOLS_CARESYNC_FILES_H_
