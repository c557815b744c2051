#include "tools/caresync/check_client/player.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "server/base/random.h"
#include "server/base/status_macros.h"
#include "server/base/uuid.h"
#include "tools/caresync/check_client/endings.h"
#include "tools/caresync/check_client/sum_reasons.h"

namespace caresync::cli::check {
namespace {

// For a command that records one event a process.
constexpr absl::Duration kForEachEvent = absl::Seconds(1);

base::Uuid RandomUuid() {
  base::SystemRandom random;
  return base::Uuid::Random(random);
}

std::string SumText(const v1::CopySum& sum) { return absl::StrCat("count ", sum.count(), ", sum ", sum.sum()); }

}  // namespace

Player::Player(const Scenario& scenario, const Stage& stage)
    : scenario_(scenario),
      stage_(stage),
      device_uuid_(RandomUuid().ToString()),
      records_(RandomUuid(), absl::Now()),
      ledger_(!stage.driver.by_hand()) {}

absl::StatusOr<Findings> Player::Play() {
  RETURN_IF_ERROR(stage_.driver.BeginScenario(scenario_.name, device_uuid_));
  bool goes_on = true;
  while (goes_on && !stage_.inbox.stopped() && next_line_ < scenario_.lines.size()) {
    line_ = &scenario_.lines[next_line_++];
    goes_on = std::visit([&](const auto& action) { return Do(action); }, line_->action);
  }
  if (stream_) stream_->peer().End(EndingOf("OVERLOADED"));
  stream_.reset();
  EndStep();
  RETURN_IF_ERROR(driver_failed_);
  return std::move(findings_);
}

// ---- Lines

bool Player::Do(const Records& records) {
  EndStep();
  Step step;
  step.kind = Step::Kind::kRecord;
  step.carer_name = records.carer;
  step.carer_id = records_.IdOf(records.carer);
  step.events = records.events.size();
  step.visit_name = records.visit;
  step.visit_id = records_.IdOf(records.visit);
  if (driver_failed_ = BeginStep(step); !driver_failed_.ok()) return false;
  const absl::Time until = Deadline() + kForEachEvent * step.events;
  if (!WaitUntil(until, [&] { return !step_running_; })) EndStep();
  for (const std::string& event : records.events) ledger_.Recorded(event, step.carer_id, step.visit_id);
  return true;
}

bool Player::Do(const Uploads& uploads) {
  if (uploads.declared) {
    if (WaitUntil(Deadline(), [&] { return stream_->HasUploadedDeclared(); })) return true;
    return NotSeen(RuleOr("UNSENT_DECLARED"),
                   absl::StrCat("uploads of the ", stream_->start()->unsent_events(), " events that `start` declares"));
  }
  const auto all = [&] {
    return std::all_of(uploads.events.begin(), uploads.events.end(),
                       [&](const std::string& event) { return stream_->HasUploaded(event); });
  };
  if (WaitUntil(Deadline(), all)) return true;
  return NotSeen(RuleOr("EVENT_KEPT"), absl::StrCat("uploads of ", absl::StrJoin(uploads.events, " ")));
}

bool Player::Do(const SendsAgain& sends) {
  if (WaitUntil(Deadline(), [&] { return stream_->HasSentAll(); })) {
    for (const std::string& event : sends.events) {
      if (!stream_->HasUploaded(event)) {
        return Fail(RuleOr("EVENTS_RESENT"), absl::StrCat(event, " again"), "`resend_complete` without it");
      }
    }
    return true;
  }
  return NotSeen(RuleOr("EVENTS_RESENT"), "`resend_complete` in the last of the uploads");
}

bool Player::Do(const Gets& gets) {
  v1::SyncResponse response;
  for (const Item& item : gets.items) std::visit([&](const auto& part) { Put(part, response); }, item);
  // What was put into messages of its own may have been all.
  if (response.ByteSizeLong() > 0) stream_->peer().Send(std::move(response));
  return true;
}

bool Player::Do(const Acks& acks) {
  const bool follows = stream_->recorded();
  if (!acks.token.empty()) {
    const std::string& token = tokens_[acks.token];
    const bool caught_up = caught_up_tokens_.contains(token);
    // Of `caught_up` its own ack, since it holds count and sum.
    const auto acked = [&] { return caught_up ? stream_->AckOf(token) != nullptr : stream_->HasAcked(token); };
    if (!WaitUntil(Deadline(), acked)) {
      const Rule& broken = RuleOfAck(acks, follows ? "FOLLOW_ACKS" : caught_up ? "CAUGHT_UP_ACKED" : "CHANGES_ACKED");
      return NotSeen(broken,
                     absl::StrCat("an ack of ", acks.token, caught_up ? ", with count and sum" : " or a later one"));
    }
    if (caught_up && !CheckSum(RuleOfAck(acks, "COUNT_AND_SUM"), *stream_->AckOf(token))) return false;
  }
  for (const std::string& carer : acks.dropped) {
    const std::string id = records_.IdOf(carer);
    if (WaitUntil(Deadline(), [&] { return stream_->HasDropped(id); })) continue;
    return NotSeen(RuleOr("DROP_ACKED"), absl::StrCat("an ack whose `dropped_carer_ids` names ", id));
  }
  return true;
}

const Rule& Player::RuleOfAck(const Acks& acks, std::string_view name) const {
  return acks.dropped.empty() ? RuleOr(name) : RuleNamed(name);
}

bool Player::Do(const IsTold& told) {
  const grpc::Status ending = EndingOf(told.reason, told.reason == "SHUTTING_DOWN" ? reconnect_after_ : std::nullopt);
  EndStream(ending);
  last_reason_ = told.reason;
  return true;
}

bool Player::Do(const CutOff&) { return EndStream(CutEnding()); }

bool Player::Do(const Killed&) {
  stage_.driver.Kill();
  WaitUntil(Deadline(), [&] { return !step_running_; });
  return EndStream(CutEnding());
}

bool Player::EndStream(const grpc::Status& ending) {
  if (!ending.ok()) stream_->Break();
  stream_->peer().End(ending);
  stream_.reset();
  last_reason_.clear();
  return true;
}

// ---- Acks

bool Player::CheckSum(const Rule& rule, const v1::Ack& ack) {
  const Copies& copies = CopiesOf(stream_->carer_id());
  const HeldRecords& expected = *copies.After(ack.resume_token())->in_use;
  const v1::CopySum should = SumOf(expected);
  if (!ack.has_holds()) {
    return Fail(RuleNamed("CAUGHT_UP_ACKED"), absl::StrCat("an ack with ", SumText(should)), "an ack without `holds`");
  }
  if (ack.holds().count() == should.count() && ack.holds().sum() == should.sum()) return true;
  const std::string why = ExplainSum(ack.holds(), expected, copies, [&](const RecordName& name) {
    return absl::StrCat(v1::RecordKind_Name(name.first), " ", name.second);
  });
  return Fail(rule, SumText(should), absl::StrCat(SumText(ack.holds()), why.empty() ? "" : ": ", why));
}

// ---- Waiting

void Player::Take(const Arrival& arrival) {
  if (arrival.kind == Arrival::Kind::kStepEnded) {
    step_running_ = false;
    step_ended_ = arrival.how;
    return;
  }
  if (arrival.kind == Arrival::Kind::kOpened) {
    if (stream_ || awaited_carer_.empty()) return TakeUnasked(arrival);
    stream_.emplace(arrival.peer, awaited_carer_, ledger_);
    opened_ = arrival.time;
    if (!absl::StartsWith(arrival.authorization, "Bearer ") || arrival.authorization.size() < sizeof("Bearer ")) {
      const std::string seen =
          arrival.authorization.empty() ? "no such metadata" : "something else than `Bearer <token>`";
      Add({{&RuleNamed("AUTHORIZATION"), "`authorization: Bearer <token>`", seen, 0, ""}});
    }
    return;
  }
  if (!stream_ || !stream_->Is(arrival.peer.get())) return;
  Add(stream_->Take(arrival));
  // Of a run that was being stopped, it may be: the step's own may still come.
  if (stream_->left() && !stream_->start()) EndStream(CutEnding());
}

void Player::TakeUnasked(const Arrival& opened) {
  if (stream_) {
    Add({{&RuleNamed("ONE_STREAM"), "one stream at a time", "a second one was opened", 0, ""}});
  } else if (last_reason_ == "SESSION_TAKEN_OVER") {
    Add({{&RuleNamed("TAKEN_OVER"), "no stream until the device is made to sync",
          "one that it opened by itself after SESSION_TAKEN_OVER", 0, ""}});
  }
  opened.peer->End(EndingOf("OVERLOADED"));
}

void Player::EndStep() {
  if (!step_running_) return;
  // A person's sync ends when the stream does.
  if (stage_.driver.by_hand()) {
    step_running_ = false;
    return;
  }
  const std::string awaited = std::exchange(awaited_carer_, "");
  if (!WaitUntil(Deadline(), [&] { return !step_running_; })) {
    stage_.driver.Stop();
    WaitUntil(Deadline(), [&] { return !step_running_; });
  }
  awaited_carer_ = awaited;
}

absl::Status Player::BeginStep(const Step& step) {
  step_running_ = true;
  step_ended_.clear();
  return stage_.driver.Begin(step);
}

bool Player::NotSeen(const Rule& rule, const std::string& expected) {
  const bool left = stream_ && stream_->left();
  if (!left) {
    return Fail(rule, expected, absl::StrCat("nothing of the kind in ", absl::FormatDuration(stage_.timeout)));
  }
  // Whatever the line is about: once it is recorded, only a device that follows has anything left to do.
  const Rule& stays = stream_->recorded() ? RuleNamed("FOLLOW_STAYS") : RuleOr("STAYS_UNTIL_RECORDED");
  return Fail(stays, expected, "the device ended the stream instead");
}

bool Player::Fail(const Rule& rule, const std::string& expected, const std::string& seen) {
  Add({{&rule, expected, seen, 0, ""}});
  return false;
}

void Player::Add(Findings findings) {
  for (Finding& finding : findings) {
    finding.line = line_ == nullptr ? 0 : line_->number;
    finding.line_text = line_ == nullptr ? "" : line_->text;
    // Such as each event of an upload.
    const bool known = std::any_of(findings_.begin(), findings_.end(), [&](const Finding& other) {
      return other.rule == finding.rule && other.line == finding.line;
    });
    if (!known) findings_.push_back(std::move(finding));
  }
}

const Rule& Player::RuleOr(std::string_view name) const {
  return line_->rule != nullptr ? *line_->rule : RuleNamed(name);
}

bool Player::SkipToNextStep() {
  while (next_line_ < scenario_.lines.size()) {
    const Action& action = scenario_.lines[next_line_].action;
    if (std::holds_alternative<Records>(action) || std::holds_alternative<Starts>(action)) break;
    ++next_line_;
  }
  return true;
}

}  // namespace caresync::cli::check
