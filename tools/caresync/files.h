// Whole files, for commands that take or keep one.
#ifndef CARESYNC_TOOLS_CARESYNC_FILES_H_
#define CARESYNC_TOOLS_CARESYNC_FILES_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace caresync::cli {

// A regular file, of at most `most` bytes: a pipe may never end, and a device never does. Errors: FILE_NOT_READABLE,
// FILE_TOO_LARGE.
absl::StatusOr<std::string> ReadFile(const std::string& file, size_t most);
// As ReadFile; empty where there is no such file.
absl::StatusOr<std::string> ReadFileIfAny(const std::string& file, size_t most);

// Whether a file of this name can be written as a whole: there is none yet, or a regular one, and no folder or device
// in its place. Errors: FILE_NOT_WRITABLE.
absl::Status CheckReplaceable(const std::string& file);
// As a whole, so that a kill or a power cut leaves what was there or what is to be there. Errors: FILE_NOT_WRITABLE.
absl::Status ReplaceFile(const std::string& file, const std::string& content);

}  // namespace caresync::cli

#endif  // CARESYNC_TOOLS_CARESYNC_FILES_H_
