#include "tools/caresync/stream_reading.h"

#include <filesystem>
#include <optional>

#include "absl/time/clock.h"
#include "server/base/random.h"
#include "tools/caresync/arguments.h"
#include "tools/caresync/errors.h"
#include "tools/caresync/files.h"

namespace caresync::cli {
namespace {

// What a token file may hold: tokens are far smaller.
constexpr size_t kPlaceBytes = 4096;

}  // namespace

void AddStreamOptions(CLI::App& command, StreamWish& wish, const std::string& follow_help) {
  command.add_option("--token-file", wish.token_file, "Keeps the place in the stream")->check(NotEmpty);
  command.add_flag("--follow", wish.follow, follow_help);
}

absl::StatusOr<std::string> ReadPlace(const StreamWish& wish) {
  if (wish.token_file.empty()) return std::string();
  ASSIGN_OR_RETURN(std::string token, ReadFileIfAny(wish.token_file, kPlaceBytes));
  if (token.empty() && std::filesystem::exists(wish.token_file)) {
    return errors::FileNotReadable(wish.token_file,
                                   "it is empty, which no place in the stream is; without it all comes again");
  }
  return token;
}

absl::Status KeepPlace(const StreamWish& wish, const std::string& place) {
  return wish.token_file.empty() ? absl::OkStatus() : ReplaceFile(wish.token_file, place);
}

absl::Status ReadAndComeBack(const Connection& connection, const StreamWish& wish,
                             absl::FunctionRef<absl::Status(ComingBack&)> read) {
  base::SystemRandom random;
  ComingBack coming_back(random, /*new_credential=*/connection.options().token.empty());
  absl::Status end = read(coming_back);
  while (wish.follow && !end.ok()) {
    const std::optional<absl::Duration> pause = coming_back.PauseAfter(end);
    if (!pause) break;
    absl::SleepFor(*pause);
    end = read(coming_back);
  }
  return end;
}

}  // namespace caresync::cli
