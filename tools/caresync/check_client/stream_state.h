// What came on the stream that a scenario plays on, and what was sent on it.
#ifndef CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_STREAM_STATE_H_
#define CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_STREAM_STATE_H_

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "caresync/v1/device_sync.pb.h"
#include "tools/caresync/check_client/event_ledger.h"
#include "tools/caresync/check_client/finding.h"
#include "tools/caresync/check_client/inbox.h"

namespace caresync::cli::check {

// Not thread-safe.
class StreamState {
 public:
  // `ledger` must outlive it.
  StreamState(std::shared_ptr<Peer> peer, std::string carer_id, EventLedger& ledger)
      : peer_(std::move(peer)), carer_id_(std::move(carer_id)), ledger_(ledger) {
    ledger.BeginStream();
  }

  Peer& peer() { return *peer_; }
  bool Is(const Peer* peer) const { return peer_.get() == peer; }

  // A message of the device, or that it left. What is wrong with it whatever is played.
  Findings Take(const Arrival& arrival);

  // ---- What the server sent
  void Issue(const std::string& token);
  void Tell(const v1::Started& started) { resend_asked_ = started.resend_events(); }
  void Record() { recorded_ = true; }
  // The first upload without an answer, which now has one; nullopt: there is none.
  std::optional<v1::Upload> NextUpload();
  size_t uploads_waiting() const { return waiting_.size(); }
  // The result of an event.
  void Answer(const std::string& event_id);
  // The stream ends in another way than well: what nothing that the device sent shows to have come is in doubt.
  void Break();

  // ---- What the device sent
  const std::optional<v1::Start>& start() const { return start_; }
  const std::string& carer_id() const { return carer_id_; }
  // nullptr: that token was not acked.
  const v1::Ack* AckOf(const std::string& token) const;
  // It, or one that was given later.
  bool HasAcked(const std::string& token) const;
  bool HasDropped(const std::string& carer_id) const { return dropped_.contains(carer_id); }
  bool HasUploaded(const std::string& event) const { return uploaded_.contains(event); }
  // As many as `start` declared.
  bool HasUploadedDeclared() const { return start_ && uploaded_.size() >= start_->unsent_events(); }
  bool HasSentAll() const { return resend_complete_; }
  // It ended the stream, or its side of it.
  bool left() const { return left_; }
  bool recorded() const { return recorded_; }

 private:
  Findings TakeStart(const v1::Start& start);
  Findings TakeUpload(const v1::Upload& upload);
  Findings TakeAck(const v1::Ack& ack);

  std::shared_ptr<Peer> peer_;
  std::string carer_id_;
  EventLedger& ledger_;
  std::optional<v1::Start> start_;
  // By token: the how manieth.
  std::map<std::string, size_t> issued_;
  std::map<std::string, v1::Ack> acks_;
  size_t last_acked_ = 0;
  // Results by event, and how many tokens were given before.
  std::vector<std::pair<std::string, size_t>> results_;
  std::set<std::string> dropped_;
  std::set<std::string> uploaded_;
  std::deque<v1::Upload> waiting_;
  bool resend_asked_ = false;
  bool resend_complete_ = false;
  bool recorded_ = false;
  bool left_ = false;
};

}  // namespace caresync::cli::check

#endif  // CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_STREAM_STATE_H_
