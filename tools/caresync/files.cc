#include "tools/caresync/files.h"

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "tools/caresync/errors.h"

namespace caresync::cli {

absl::StatusOr<std::string> ReadFile(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string content;
  std::array<char, 65'536> buffer{};
  while (stream.read(buffer.data(), buffer.size()) || stream.gcount() > 0) {
    content.append(buffer.data(), static_cast<size_t>(stream.gcount()));
  }
  // At the end of a file that was read whole, and only there.
  if (!stream.eof() || stream.bad()) return errors::FileNotReadable(file);
  return content;
}

absl::StatusOr<std::string> ReadFileIfAny(const std::string& file) {
  std::error_code failed;
  // What cannot be looked at is not the same as what is not there: reading it says so.
  if (!std::filesystem::exists(file, failed) && !failed) return std::string();
  return ReadFile(file);
}

absl::Status ReplaceFile(const std::string& file, const std::string& content) {
  const std::string fresh = file + ".new";
  {
    std::ofstream stream(fresh, std::ios::binary | std::ios::trunc);
    stream << content << std::flush;
    if (!stream) return errors::FileNotWritable(fresh);
  }
  if (std::rename(fresh.c_str(), file.c_str()) != 0) return errors::FileNotWritable(file);
  return absl::OkStatus();
}

}  // namespace caresync::cli
