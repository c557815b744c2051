#include "tools/caresync/check_client/stream_state.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace caresync::cli::check {
namespace {

Findings One(std::string_view rule, std::string expected, std::string seen) {
  return {{&RuleNamed(rule), std::move(expected), std::move(seen), 0, ""}};
}

}  // namespace

Findings StreamState::Take(const Arrival& arrival) {
  if (arrival.kind != Arrival::Kind::kMessage) {
    left_ = true;
    return {};
  }
  const v1::SyncRequest& request = arrival.request;
  if (request.has_start()) return TakeStart(request.start());
  if (!start_) return One("START_FIRST", "`start` as the first message", "another message");
  if (request.has_upload()) return TakeUpload(request.upload());
  if (request.has_ack()) return TakeAck(request.ack());
  return One("START_FIRST", "`start`, uploads and acks", "a message that is none of them");
}

Findings StreamState::TakeStart(const v1::Start& start) {
  if (start_) return One("START_FIRST", "`start` once", "a second one");
  start_ = start;
  return {};
}

Findings StreamState::TakeUpload(const v1::Upload& upload) {
  if (upload.resend_complete() && !resend_asked_) {
    return One("EVENTS_RESENT", "`resend_complete` only where `resend_events` asked for it", "it was set");
  }
  Findings findings = ledger_.Take(carer_id_, upload, resend_asked_);
  for (const v1::UploadedEvent& event : upload.events()) {
    const std::string name = ledger_.NameOf(event.event_id());
    if (resend_asked_ && !HasUploadedDeclared() && ledger_.IsSettled(event.event_id())) {
      findings.push_back({&RuleNamed("EVENT_ORDER"), "the events that `start` declares, then those asked for again",
                          absl::StrCat(name, " again before all that are declared"), 0, ""});
    }
    uploaded_.insert(name);
  }
  resend_complete_ |= upload.resend_complete();
  waiting_.push_back(upload);
  return findings;
}

Findings StreamState::TakeAck(const v1::Ack& ack) {
  dropped_.insert(ack.dropped_carer_ids().begin(), ack.dropped_carer_ids().end());
  const std::string& token = ack.resume_token();
  if (token.empty()) {
    if (ack.dropped_carer_ids_size() > 0) return {};
    return One("ACK_OF_WHAT_CAME", "an ack with the token of what came", "an ack without a token");
  }
  const auto issued = issued_.find(token);
  if (issued == issued_.end()) {
    return One("ACK_OF_WHAT_CAME", "acks of tokens that were sent in this stream", "an ack of another token");
  }
  acks_[token] = ack;
  if (issued->second < last_acked_) {
    return One("ACK_OF_WHAT_CAME", "acks in the order in which the tokens came", "an ack of one before the last acked");
  }
  last_acked_ = issued->second;
  return {};
}

void StreamState::Issue(const std::string& token) { issued_.emplace(token, issued_.size() + 1); }

std::optional<v1::Upload> StreamState::NextUpload() {
  if (waiting_.empty()) return std::nullopt;
  std::optional<v1::Upload> upload = std::move(waiting_.front());
  waiting_.pop_front();
  return upload;
}

void StreamState::Answer(const std::string& event_id) {
  // Of one that is settled another result changes nothing.
  if (!ledger_.IsSettled(event_id)) results_.emplace_back(event_id, issued_.size());
  ledger_.Answered(event_id);
}

void StreamState::Break() {
  for (const auto& [event_id, issued_before] : results_) {
    // What is acked came with it, or after it.
    if (last_acked_ <= issued_before) ledger_.Doubt(event_id);
  }
}

const v1::Ack* StreamState::AckOf(const std::string& token) const {
  const auto found = acks_.find(token);
  return found == acks_.end() ? nullptr : &found->second;
}

bool StreamState::HasAcked(const std::string& token) const {
  const auto found = issued_.find(token);
  return found != issued_.end() && last_acked_ >= found->second;
}

}  // namespace caresync::cli::check
