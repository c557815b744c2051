// A rostering system that sends whatever it likes: each change of a message gets its result, or the message a named
// error, and devices hold what the feeds say.
//
// The input is a list of messages: a byte and a chunk. The byte says whether the message is its stream's first (1) and
// whether each change is made one of the caller's own source (2); the chunk is an ApplyChangesRequest.
#include <cstdint>
#include <string>

#include "caresync/v1/roster.pb.h"
#include "server/roster/take_message.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/small_agency.h"

namespace caresync::fuzz {
namespace {

constexpr int kMostMessages = 8;

void Send(RunningAgency& running, bool first, const v1::ApplyChangesRequest& request) {
  const std::string opening = running.engine().opening().timeline;
  v1::ApplyChangesResponse response;
  const bool taken = running.Run([&](commit::Transaction& transaction) -> absl::Status {
    absl::StatusOr<v1::ApplyChangesResponse> made =
        roster::TakeMessage(transaction, {kSource, opening}, first, request);
    if (made.ok()) response = *std::move(made);
    return made.status();
  });
  if (!taken) return;
  Require(response.results_size() == request.changes_size(), "a change has no result");
  for (const v1::ChangeResult& result : response.results()) {
    const bool rejected = result.outcome() == v1::CHANGE_OUTCOME_REJECTED;
    Require(result.outcome() != v1::CHANGE_OUTCOME_UNSPECIFIED, "a result says nothing");
    Require(rejected == !result.error().reason().empty(), "a rejection has no reason");
  }
}

void SendAll(Input& input, RunningAgency& running) {
  for (int i = 0; i < kMostMessages && !input.AtEnd(); ++i) {
    const uint8_t how = input.Byte();
    v1::ApplyChangesRequest request;
    // What is no message at all never comes to the roster.
    if (!request.ParseFromString(input.Chunk())) continue;
    if ((how & 2) != 0) {
      for (v1::RosterChange& change : *request.mutable_changes()) change.set_source(kSource);
    }
    Send(running, (how & 1) != 0, request);
  }
}

}  // namespace
}  // namespace caresync::fuzz

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer names it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  caresync::fuzz::Input input(data, size);
  caresync::fuzz::RunningAgency running;
  caresync::fuzz::SendAll(input, running);
  running.engine().Advance(absl::Hours(1));
  running.CheckNewPhone();
  return 0;
}
