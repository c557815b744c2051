// A directory that is gone after the test.
#ifndef CARESYNC_TESTS_FAKES_TEMPORARY_DIRECTORY_H_
#define CARESYNC_TESTS_FAKES_TEMPORARY_DIRECTORY_H_

#include <stdlib.h>

#include <filesystem>
#include <string>
#include <system_error>

#include "absl/base/internal/raw_logging.h"

namespace caresync::fakes {

class TemporaryDirectory {
 public:
  TemporaryDirectory() : path_((std::filesystem::temp_directory_path() / "caresync-test-XXXXXX").string()) {
    ABSL_RAW_CHECK(mkdtemp(path_.data()) != nullptr, "no temporary directory");
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }
  // The path of something in it.
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace caresync::fakes

#endif  // CARESYNC_TESTS_FAKES_TEMPORARY_DIRECTORY_H_
