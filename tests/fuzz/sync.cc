// A device that sends whatever it likes: each of its streams ends, with a named error where it is not by the rules, and
// another phone's sync is none the worse for it.
//
// The input is a list of steps, each a byte and what the step takes: 0, a chunk is a message; 1, the start by the rules
// of a type (a byte), with the fields of a chunk put over it; 2, the ack of what came last, with the fields of a chunk
// put over it; 3, an event with a running number (a byte) and a chunk for its bytes; 4, the device ends its side; 5,
// the stream is cut; 6, so many seconds pass (a byte); 7, the device reads no more, or again; 8, the rota changes; 9,
// it goes on by the rules until nothing moves.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/roster/take_message.h"
#include "tests/fakes/rota.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/small_agency.h"

namespace caresync::fuzz {
namespace {

constexpr int kMostSteps = 40;

class Conversation {
 public:
  void Run(Input& input) {
    Open();
    for (int i = 0; i < kMostSteps && !input.AtEnd(); ++i) {
      Step(input.Byte() % 10, input);
      if (peer_->end().has_value()) Open();
    }
    Close();
    running_.engine().Advance(absl::Minutes(5));
    running_.CheckNewPhone();
  }

 private:
  void Step(int step, Input& input) {
    switch (step) {
      case 0:
        return SayMessage(input.Chunk());
      case 1:
        return SayStart(input);
      case 2:
        return SayAck(input.Chunk());
      case 3:
        return SayEvent(input);
      case 4:
        peer_->HalfClose();
        return peer_->Settle();
      case 5:
        peer_->Cut();
        return running_.engine().executor().RunAll();
      case 6:
        return running_.engine().Advance(absl::Seconds(input.Byte()));
      case 7:
        reading_ = !reading_;
        peer_->SetReading(reading_);
        return peer_->Settle();
      case 8:
        return ChangeRota();
      default:
        return fakes::RunDevice(device_, running_.agency().carer, *peer_, /*follows=*/true);
    }
  }

  void Say(v1::SyncRequest request) {
    peer_->Say(std::move(request));
    peer_->Settle();
  }

  void SayMessage(const std::string& bytes) {
    v1::SyncRequest request;
    // What is no message at all never comes to a session.
    if (request.ParseFromString(bytes)) Say(std::move(request));
  }

  void SayStart(Input& input) {
    const v1::SyncType type = static_cast<v1::SyncType>(input.Byte() % 4);
    v1::SyncRequest request = device_.Start(running_.agency().carer, type);
    v1::Start over;
    if (over.ParseFromString(input.Chunk())) request.mutable_start()->MergeFrom(over);
    Say(std::move(request));
  }

  void SayAck(const std::string& bytes) {
    v1::SyncRequest request;
    request.mutable_ack();
    while (std::optional<v1::SyncResponse> response = peer_->Take()) {
      std::optional<v1::SyncRequest> ack = device_.Apply(running_.agency().carer, *response);
      if (ack.has_value()) request = *std::move(ack);
    }
    v1::Ack over;
    if (over.ParseFromString(bytes)) request.mutable_ack()->MergeFrom(over);
    Say(std::move(request));
  }

  void SayEvent(Input& input) {
    v1::SyncRequest request;
    v1::UploadedEvent& event = *request.mutable_upload()->add_events();
    const uint8_t number = input.Byte();
    event.set_sequence(number);
    event.set_event_id(absl::StrCat("44444444-4444-4444-8444-", 100'000'000'000 + number));
    event.set_event(input.Chunk());
    Say(std::move(request));
  }

  void ChangeRota() {
    v1::ApplyChangesRequest request;
    v1::RosterChange& change = *request.add_changes();
    change = fakes::VisitChange(absl::StrCat("new ", ++visits_), "user", {"carer", "colleague"});
    change.set_source(kSource);
    const std::string opening = running_.engine().opening().timeline;
    running_.Run([&](commit::Transaction& transaction) {
      return roster::TakeMessage(transaction, {kSource, opening}, true, request).status();
    });
    peer_->Settle();
  }

  void Open() {
    Close();
    reading_ = true;
    peer_ = std::make_unique<fakes::ScriptedPeer>(running_.server(), running_.CarersDevice());
    peer_->Settle();
  }
  void Close() {
    if (peer_ == nullptr) return;
    if (!peer_->end().has_value()) peer_->Cut();
    running_.engine().executor().RunAll();
    Require(peer_->end().has_value(), "a stream that was cut does not end");
    RequireNamed(*peer_->end());
    peer_.reset();
  }

  RunningAgency running_;
  fakes::TestDevice device_ = running_.agency().device;
  std::unique_ptr<fakes::ScriptedPeer> peer_;
  bool reading_ = true;
  int visits_ = 0;
};

}  // namespace
}  // namespace caresync::fuzz

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer names it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  caresync::fuzz::Input input(data, size);
  caresync::fuzz::Conversation().Run(input);
  return 0;
}
