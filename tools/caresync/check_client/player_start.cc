// How a device begins a sync.
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tools/caresync/check_client/player.h"
#include "tools/caresync/check_client/sum_reasons.h"

namespace caresync::cli::check {
namespace {

constexpr absl::Duration kStartWithin = absl::Seconds(10);

bool Differs(const v1::CopySum& one, const v1::CopySum& other) {
  return one.count() != other.count() || one.sum() != other.sum();
}

}  // namespace

bool Player::Do(const Starts& starts) {
  awaited_carer_ = records_.IdOf(starts.carer);
  const bool started = OpenStream(starts);
  awaited_carer_.clear();
  if (!driver_failed_.ok()) return false;
  if (!started) {
    if (stream_) return Fail(RuleNamed("START_FIRST"), "`start` within 10 seconds", "none");
    if (starts.or_refuses && !step_running_) return SkipToNextStep();
    const std::string seen = step_running_ ? absl::StrCat("none in ", absl::FormatDuration(stage_.timeout))
                                           : absl::StrCat("the device's command ended (", step_ended_, ") without one");
    // The line's rule is about how it starts; where it is to start by itself, also that it does.
    return Fail(starts.again ? RuleOr("START_FIRST") : RuleNamed("START_FIRST"), "a stream with a `start`", seen);
  }
  if (not_before_ && opened_ < *not_before_) {
    Add({{&RuleNamed("RECONNECTS"), "a new stream after `reconnect_after`",
          absl::StrCat("one ", absl::FormatDuration(*not_before_ - opened_), " earlier"), 0, ""}});
  }
  not_before_.reset();
  return CheckStart(starts, *stream_->start());
}

bool Player::OpenStream(const Starts& starts) {
  Step step;
  step.carer_name = starts.carer;
  step.carer_id = awaited_carer_;
  step.type = starts.type;
  step.follow = starts.follow;
  step.level = starts.level.value_or(stage_.level);
  step.or_refuses = starts.or_refuses;
  if (starts.again) return BeginAgain(step);
  EndStep();
  if (driver_failed_ = BeginStep(step); !driver_failed_.ok()) return false;
  return AwaitStart(Deadline());
}

bool Player::AwaitStart(absl::Time until) {
  while (true) {
    WaitUntil(until, [&] { return stream_.has_value() || !step_running_; });
    if (!stream_) return false;
    const bool came = WaitUntil(opened_ + kStartWithin, [&] { return !stream_ || stream_->start(); });
    if (stream_) return came;
    // That one was gone before its `start`.
  }
}

bool Player::BeginAgain(const Step& step) {
  // A person has to be told, and the app may still be first.
  if (stage_.driver.by_hand()) driver_failed_ = BeginStep(step);
  const absl::Time until = std::max(Deadline(), not_before_.value_or(absl::InfinitePast()) + stage_.timeout);
  if (AwaitStart(until)) return true;
  if (stream_ || (step_running_ && !last_reason_.empty())) return false;
  // How long it waits after a cut is its own affair: it is made to sync anew.
  EndStep();
  // It left it to the next run, which comes when the server asked for it.
  if (not_before_) WaitUntil(*not_before_, [] { return false; });
  if (driver_failed_ = BeginStep(step); !driver_failed_.ok()) return false;
  return AwaitStart(Deadline());
}

bool Player::CheckStart(const Starts& starts, const v1::Start& start) {
  CheckStartFields(starts, start);
  if (start.carer_id() != stream_->carer_id()) return false;
  if (!CheckToken(starts, start.resume_token())) return false;
  CheckHolds(start);
  CopiesOf(stream_->carer_id()).GoOnFrom(start.resume_token());
  return true;
}

void Player::CheckStartFields(const Starts& starts, const v1::Start& start) {
  const auto check = [&](bool right, const char* rule, const std::string& expected, const std::string& seen) {
    if (!right) Add({{&RuleNamed(rule), expected, seen, 0, ""}});
  };
  // By hand the device has its own.
  check(stage_.driver.by_hand() || start.device_uuid() == device_uuid_, "START_FIELDS",
        absl::StrCat("device_uuid ", device_uuid_), absl::StrCat("\"", start.device_uuid(), "\""));
  check(start.carer_id() == stream_->carer_id(), "START_FIELDS", absl::StrCat("carer_id ", stream_->carer_id()),
        absl::StrCat("\"", start.carer_id(), "\""));
  check(start.sync_type() == starts.type, "START_FIELDS", v1::SyncType_Name(starts.type),
        absl::StrCat("sync_type ", start.sync_type()));
  check(start.follow() == starts.follow, "START_FIELDS", absl::StrCat("follow ", starts.follow ? "set" : "not set"),
        absl::StrCat("follow ", start.follow() ? "set" : "not set"));
  const uint32_t level = starts.level.value_or(stage_.level);
  check(start.data_level() == level, "DATA_LEVEL", absl::StrCat("data_level ", level),
        absl::StrCat("data_level ", start.data_level()));
  CheckUnsent(starts, start.unsent_events());
}

void Player::CheckUnsent(const Starts& starts, size_t declared) {
  const EventLedger::UnsentRange unsent = ledger_.Unsent(stream_->carer_id());
  ledger_.Declared(stream_->carer_id(), declared);
  if (declared >= unsent.least && declared <= unsent.most) return;
  const Rule& rule = RuleNamed(starts.type == v1::SYNC_TYPE_CLEAN ? "CLEAN_KEEPS_WORK" : "UNSENT_DECLARED");
  const std::string or_more = unsent.most == unsent.least ? "" : absl::StrCat(" to ", unsent.most);
  Add({{&rule, absl::StrCat("unsent_events ", unsent.least, or_more), absl::StrCat("unsent_events ", declared), 0,
        ""}});
}

void Player::CheckHolds(const v1::Start& start) {
  const Copies& copies = CopiesOf(stream_->carer_id());
  const CopyState* state = copies.After(start.resume_token());
  // The server does not look at it while that copy is being made.
  if (!start.has_holds() || state == nullptr || state->making || !state->in_use) return;
  const v1::CopySum should = SumOf(*state->in_use);
  if (!Differs(start.holds(), should)) return;
  const std::string why = ExplainSum(start.holds(), *state->in_use, copies, [](const RecordName& name) {
    return absl::StrCat(v1::RecordKind_Name(name.first), " ", name.second);
  });
  Add({{&RuleNamed("HOLDS_IN_START"), absl::StrCat("count ", should.count(), ", sum ", should.sum()),
        absl::StrCat("count ", start.holds().count(), ", sum ", start.holds().sum(), why.empty() ? "" : ": ", why), 0,
        ""}});
}

bool Player::CheckToken(const Starts& starts, const std::string& token) {
  bool none = false;
  for (const std::string& name : starts.tokens) {
    if (name == "none" ? token.empty() : tokens_.at(name) == token) return true;
    none |= name == "none";
  }
  const std::string expected =
      absl::StrCat("resume_token ", none && starts.tokens.size() == 1 ? "empty" : absl::StrJoin(starts.tokens, " or "));
  const auto carer = token_carers_.find(token);
  if (carer != token_carers_.end() && carer->second != stream_->carer_id()) {
    return Fail(RuleNamed("COPIES_APART"), expected, absl::StrCat(ShownToken(token), ", which is another carer's"));
  }
  if (!token.empty() && carer == token_carers_.end() && !tokens_.empty()) {
    return Fail(RuleNamed("TOKEN_BYTES"), expected, ShownToken(token));
  }
  return Fail(RuleOr(none ? "TOKEN_NONE" : "TOKEN_LAST_APPLIED"), expected, ShownToken(token));
}

std::string Player::ShownToken(const std::string& token) const {
  if (token.empty()) return "an empty one";
  for (const auto& [name, bytes] : tokens_) {
    if (bytes == token) return name;
  }
  return absl::StrCat("bytes that were never given: ", absl::BytesToHexString(token));
}

}  // namespace caresync::cli::check
