// One sync stream over a network that loses things: what each side has said waits until the schedule moves it.
#ifndef CARESYNC_TESTS_SIMULATION_SIMULATED_STREAM_H_
#define CARESYNC_TESTS_SIMULATION_SIMULATED_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "caresync/v1/device_sync.pb.h"
#include "server/sync/resume_token.h"
#include "server/sync/session_driver.h"
#include "tests/fakes/test_device.h"
#include "tests/simulation/held_copies.h"
#include "tests/simulation/naive_model.h"

namespace caresync::simulation {

// What the clock showed, and how often it had been set by then.
struct Moment {
  absl::Time time;
  size_t jumps = 0;
};

// The copy in use as the device had it when it had applied what came with the token.
struct AppliedCopy {
  sync::ResumeToken token;
  std::shared_ptr<const HeldVisits> visits;
  // It is another than what was sent: spoiled on the phone.
  bool spoiled = false;
};

// What the oracle knows of a sync, from what went over the stream.
struct StreamFacts {
  std::string session_id;
  sync::SessionIdentity identity;
  // Rises with each stream that is opened.
  uint64_t arrival = 0;
  std::string carer;
  v1::Start start;
  // What the app can keep, as far as there is anything to keep.
  uint32_t level = 1;
  std::optional<sync::ResumeToken> start_token;
  // The copy in use on the device when it said `start`.
  fakes::HeldRecords held_at_start;
  // That one is spoiled; the phone was put back from a backup, and was not caught up since; it is one of two with one
  // UUID.
  bool spoiled_at_start = false;
  bool put_back = false;
  bool of_pair = false;
  // What it has become since, in the order in which the device applied it.
  std::vector<AppliedCopy> applied;
  // The head when the server got `start`; nullopt before.
  std::optional<base::Revision> head_at_start;
  // How many commits had taken effect then.
  uint64_t commits_at_start = 0;
  // Then, and when the stream was opened.
  Moment at_start;
  Moment at_opening;
  // Uploads that the server got and has not answered.
  std::deque<v1::Upload> unanswered;
  // The last one that it answered.
  v1::Upload answered;
  size_t events_answered = 0;
  // The copy that is read, the last position sent of it, and that rebuild's beginning.
  uint64_t rebuild_number = 0;
  feed::Position position;
  std::optional<base::Revision> rebuild_began;
  // Something of the download was sent.
  bool downloads = false;
  // A batch was sent, and no `caught_up` since; whether it was of a new copy.
  bool mid_download = false;
  bool of_new_copy = false;
  // Batches and `caught_up`s that were sent and that no ack that the server got reaches.
  std::vector<sync::ResumeToken> unacked;
  // The last `caught_up` that was sent.
  std::optional<v1::CaughtUp> caught_up;
  // The server got the ack of it, with the right count and sum, and has not said yet that it is recorded.
  bool confirmed = false;
  // When it got it.
  Moment at_confirmation;
  // Another sync of the device began and ended it in the history.
  bool displaced = false;
  // A success is stored that the device was not told of yet.
  bool success_stored = false;
  // Tokens of copies in use that the server got back from the device, in this order.
  std::vector<sync::ResumeToken> acked;
  // Carers whose copies the device said that it dropped, and those whose it was told to drop since.
  std::set<std::string> dropped;
  std::set<std::string> drops_owed;
  // It was asked for its events again, and has not said that these were all.
  bool resend_owed = false;
  // The server got another count and sum.
  bool diverged = false;
  // At least once; when that was told last, by the monotonic clock.
  bool recorded = false;
  absl::Duration recorded_at;
  // What the device was told last that its tenant wants; nullopt: its `start` has no answer.
  std::optional<v1::Policy> policy;
  // It was told that its credential ends; that the server goes away.
  bool credential_end_told = false;
  bool going_away_told = false;
  // The session was told to end, since the server goes away.
  bool told_to_stop = false;
  // The server got the device's end of its side; that the stream is cut.
  bool half_close_got = false;
  bool cut_got = false;
  // The session had failed when it got the last message; what the device owed before that.
  bool ignored_last = false;
  bool owed_before_last = false;
  // Something was leaving as the session ended.
  bool ended_while_sending = false;
  // When the last message was sent, by the monotonic clock.
  absl::Duration last_sent;
  // A commit of the device's rows was refused for a conflict that nobody made.
  bool conflict_injected = false;
  // Its end was looked at.
  bool end_judged = false;
};

// Whether the device is to send events, or to acknowledge something.
inline bool OwesWork(const StreamFacts& facts) {
  return !facts.unacked.empty() || facts.events_answered < facts.start.unsent_events();
}

// A message on its way to the device, with what its copy must be once a `caught_up` in it is applied, and the upload
// that any results in it answer.
struct Delivery {
  v1::SyncResponse response;
  std::shared_ptr<const View> expected;
  v1::Upload answered;
};

// Used by one thread. The schedule moves it by the calls below; each may be made only where the question beside it says
// so.
class SimulatedStream : public sync::SyncPeer {
 public:
  // Judges a message when it is sent: what the device must hold once it has applied it, if that is complete then.
  using OnSend = std::function<std::shared_ptr<const View>(StreamFacts&, const v1::SyncResponse&)>;
  // Told of each message that the server gets.
  using OnTaken = std::function<void(StreamFacts&, const v1::SyncRequest&)>;

  SimulatedStream(StreamFacts facts, size_t device, OnSend on_send, OnTaken on_taken)
      : facts_(std::move(facts)), device_(device), on_send_(std::move(on_send)), on_taken_(std::move(on_taken)) {}

  void Open(const sync::SyncParts& parts);

  StreamFacts& facts() { return facts_; }
  const StreamFacts& facts() const { return facts_; }
  size_t device() const { return device_; }
  bool device_open() const { return device_open_; }
  bool server_open() const { return driver_ != nullptr; }
  bool network_broken() const { return network_broken_; }
  bool done() const { return !device_open_ && !server_open(); }
  const std::optional<absl::Status>& end() const { return end_; }

  // The device says something; it leaves with a later Flush.
  void Say(v1::SyncRequest request) { outbox_.push_back(std::move(request)); }
  // What it keeps of the acks that it has said.
  std::vector<v1::SyncRequest>& acks_said() { return acks_said_; }
  void HalfClose() { half_closed_ = true; }
  bool half_closed() const { return half_closed_; }
  bool CanFlush() const { return device_open_ && !outbox_.empty(); }
  void Flush();

  // A message under way to the device leaves the server; over a broken network it is lost, and the server hears so or
  // does not.
  bool CanFinishWrite() const { return server_open() && under_way_.has_value(); }
  void FinishWrite(bool ok);
  // A batch leaves, and it is not the last one before a `caught_up`.
  bool IsBetweenBatches() const;
  // The server gets the device's next message, or its end.
  bool CanReachServer() const;
  void ReachServer();
  // The device gets the next message.
  bool CanReachDevice() const { return device_open_ && !to_device_.empty(); }
  Delivery TakeAtDevice();
  // The device sees that the stream is over.
  bool CanEndAtDevice() const;
  void CloseAtDevice() { device_open_ = false; }
  // The server tells the session to end: it goes away. The session must be there.
  void Stop(absl::Status status);
  // The server sees that the stream is cut.
  bool CanTellServer() const { return server_open() && network_broken_ && !told_server_; }
  void TellServer();

  // Whether anything is said on either side that the other one has not got, and still may.
  bool IsUnderWay() const { return CanFlush() || CanFinishWrite() || CanReachServer() || CanReachDevice(); }
  // The server asks for the device's next message.
  bool server_reads() const { return read_wanted_; }

  // The connection is gone: only the first `to_device` and `to_server` messages under way still arrive.
  void Cut(size_t to_device, size_t to_server);
  size_t under_way_to_device() const { return to_device_.size(); }
  size_t under_way_to_server() const { return to_server_.size(); }

 private:
  void Send(v1::SyncResponse response) override;
  void ReadNext() override;
  void End(absl::Status status, bool abandon) override;

  StreamFacts facts_;
  const size_t device_;
  const OnSend on_send_;
  const OnTaken on_taken_;
  std::shared_ptr<sync::SessionDriver> driver_;
  std::deque<v1::SyncRequest> outbox_;
  std::vector<v1::SyncRequest> acks_said_;
  std::deque<v1::SyncRequest> to_server_;
  std::deque<Delivery> to_device_;
  std::optional<Delivery> under_way_;
  std::optional<absl::Status> end_;
  bool half_closed_ = false;
  bool read_wanted_ = false;
  bool device_open_ = true;
  bool network_broken_ = false;
  bool told_server_ = false;
};

}  // namespace caresync::simulation

#endif  // CARESYNC_TESTS_SIMULATION_SIMULATED_STREAM_H_
