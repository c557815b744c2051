// A resumable stream of the server, as a command reads it: from the place in a file, and again where it ended too soon.
#ifndef CARESYNC_TOOLS_CARESYNC_STREAM_READING_H_
#define CARESYNC_TOOLS_CARESYNC_STREAM_READING_H_

#include <functional>
#include <memory>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/grpcpp.h"
#include "server/base/status_macros.h"
#include "tools/caresync/coming_back.h"
#include "tools/caresync/connection.h"

namespace caresync::cli {

// How a command is to read.
struct StreamWish {
  // Keeps the place in the stream. Empty: nothing does.
  std::string token_file;
  bool follow = false;
};

// --token-file, and --follow with this help.
void AddStreamOptions(CLI::App& command, StreamWish& wish, const std::string& follow_help);

// The place in the wish's file; empty, for the beginning, where there is none. Errors: FILE_NOT_READABLE, also of a
// file that holds nothing: that is no reason to begin anew.
absl::StatusOr<std::string> ReadPlace(const StreamWish& wish);
// Keeps it there.
absl::Status KeepPlace(const StreamWish& wish, const std::string& place);
// Reads by `read`, which reads one stream to its end, and where it follows again after each end that passes.
absl::Status ReadAndComeBack(const Connection& connection, const StreamWish& wish,
                             absl::FunctionRef<absl::Status(ComingBack&)> read);

// Reads what `open` opens after a token, and gives each response to `take`, which shows it. The place is kept behind
// what was shown: what came to nobody comes again.
template <typename Response>
absl::Status ReadStream(const Connection& connection, const Caller& caller, const StreamWish& wish,
                        const std::function<std::unique_ptr<grpc::ClientReader<Response>>(
                            grpc::ClientContext& context, const std::string& resume_token)>& open,
                        const std::function<absl::Status(const Response&)>& take) {
  ASSIGN_OR_RETURN(std::string place, ReadPlace(wish));
  return ReadAndComeBack(connection, wish, [&](ComingBack& coming_back) -> absl::Status {
    grpc::ClientContext context;
    RETURN_IF_ERROR(connection.Prepare(caller, wish.follow ? absl::InfiniteDuration() : absl::Minutes(10), context));
    const std::unique_ptr<grpc::ClientReader<Response>> stream = open(context, place);
    Response response;
    while (stream->Read(&response)) {
      coming_back.Heard();
      absl::Status status = take(response);
      if (status.ok() && !response.resume_token().empty()) {
        place = response.resume_token();
        status = KeepPlace(wish, place);
      }
      if (status.ok()) continue;
      context.TryCancel();
      stream->Finish();
      return status;
    }
    return connection.Result(stream->Finish());
  });
}

}  // namespace caresync::cli

#endif  // CARESYNC_TOOLS_CARESYNC_STREAM_READING_H_
