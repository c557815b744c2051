#include "tests/simulation/simulated_stream.h"

#include <utility>

#include "absl/base/internal/raw_logging.h"

namespace caresync::simulation {

void SimulatedStream::Open(const sync::SyncParts& parts) {
  driver_ = sync::SessionDriver::Create(parts, facts_.identity, parts.live.NextArrival(), *this);
  facts_.session_id = driver_->session_id();
  driver_->Open();
}

void SimulatedStream::Flush() {
  if (!network_broken_) to_server_.push_back(std::move(outbox_.front()));
  outbox_.pop_front();
}

void SimulatedStream::FinishWrite(bool ok) {
  Delivery delivery = *std::exchange(under_way_, std::nullopt);
  if (!network_broken_) to_device_.push_back(std::move(delivery));
  const bool has_left = ok || !network_broken_;
  facts_.cut_got = facts_.cut_got || !has_left;
  driver_->OnSent(has_left);
}

bool SimulatedStream::IsBetweenBatches() const {
  if (!CanFinishWrite()) return false;
  const v1::SyncResponse& response = under_way_->response;
  return response.has_changes() && !response.changes().next_visits() && !response.has_caught_up();
}

bool SimulatedStream::CanReachServer() const {
  if (!server_open() || told_server_ || !read_wanted_) return false;
  return !to_server_.empty() || (half_closed_ && outbox_.empty() && !network_broken_);
}

void SimulatedStream::ReachServer() {
  read_wanted_ = false;
  if (to_server_.empty()) {
    facts_.half_close_got = true;
    return driver_->OnHalfClose();
  }
  v1::SyncRequest request = std::move(to_server_.front());
  to_server_.pop_front();
  on_taken_(facts_, request);
  driver_->OnMessage(std::move(request));
}

Delivery SimulatedStream::TakeAtDevice() {
  Delivery delivery = std::move(to_device_.front());
  to_device_.pop_front();
  return delivery;
}

bool SimulatedStream::CanEndAtDevice() const {
  return device_open_ && to_device_.empty() && (network_broken_ || !server_open());
}

void SimulatedStream::Stop(absl::Status status) {
  facts_.told_to_stop = true;
  driver_->Stop(std::move(status));
}

void SimulatedStream::TellServer() {
  told_server_ = true;
  facts_.cut_got = true;
  driver_->OnCancelled();
}

void SimulatedStream::Cut(size_t to_device, size_t to_server) {
  if (network_broken_) return;
  network_broken_ = true;
  outbox_.clear();
  if (to_device < to_device_.size()) to_device_.resize(to_device);
  if (to_server < to_server_.size()) to_server_.resize(to_server);
}

void SimulatedStream::Send(v1::SyncResponse response) {
  ABSL_RAW_CHECK(server_open() && !under_way_.has_value(), "a second message is sent while one is under way");
  std::shared_ptr<const View> expected = on_send_(facts_, response);
  under_way_ = Delivery{std::move(response), std::move(expected), facts_.answered};
}

void SimulatedStream::ReadNext() {
  ABSL_RAW_CHECK(server_open() && !read_wanted_, "a second message is asked for while one is");
  read_wanted_ = true;
}

void SimulatedStream::End(absl::Status status, bool abandon) {
  ABSL_RAW_CHECK(!end_.has_value(), "a session ends twice");
  end_ = std::move(status);
  // Of one that it had taken up it would have asked for the next.
  facts_.ignored_last = !read_wanted_;
  facts_.ended_while_sending = under_way_.has_value();
  if (under_way_.has_value() && !abandon && !network_broken_) to_device_.push_back(*std::move(under_way_));
  under_way_.reset();
  // What was read ahead dies with the stream; the session holds itself until it is done with this call.
  driver_.reset();
}

}  // namespace caresync::simulation
