#include "tests/spec/stage.h"

#include <regex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/base/errors.h"
#include "server/commit/transaction.h"
#include "server/devices/device_registry.h"
#include "server/feed/feed_compaction.h"
#include "server/records/record_key.h"
#include "tests/fakes/rota.h"

namespace caresync::spec {
namespace {

using absl::StrCat;

}  // namespace

absl::Duration Amount(const std::string& number, const std::string& unit) {
  const int64_t amount = std::stoll(number);
  if (unit == "h") return absl::Hours(amount);
  return unit == "min" ? absl::Minutes(amount) : absl::Seconds(amount);
}

struct Stage::Form {
  std::regex pattern;
  Handler handler;
};

const std::vector<Stage::Form>& Stage::Forms() {
  static const auto* const kForms = new std::vector<Form>{
      {std::regex("rota: (.+)"), &Stage::Rota},
      {std::regex("office: (d\\d) has the users (.+)"), &Stage::SetUsers},
      {std::regex("office: (blocks|unblocks) (d\\d)"), &Stage::SetBlocked},
      {std::regex("office: (\\w+) may be seen by (.+)"), &Stage::SetAccess},
      {std::regex("office: writes the care plan (\\w+) of (\\w+)(?:, saying (.+))?"), &Stage::WritePlan},
      {std::regex("office: deletes the care plan (\\w+)"), &Stage::DeletePlan},
      {std::regex("office: (closes|snoozes|reopens) the mismatch of (\\w+) on (\\w+)(?: for (\\d+) (s|min|h))?"
                  "(?:, and is told (\\w+))?"),
       &Stage::ChangesMismatch},
      {std::regex("time passes: (\\d+) (s|min|h)"), &Stage::PassTime},
      {std::regex("store: the next commit (is FULL|is UNAVAILABLE|meets a CONFLICT|is UNKNOWN and done|is UNKNOWN "
                  "and not done)"),
       &Stage::FailCommit},
      {std::regex("store: holds its answers back"), &Stage::HoldBack},
      {std::regex("store: answers"), &Stage::Answer},
      {std::regex("server: batches of at most (\\d+) bytes"), &Stage::LimitBatches},
      {std::regex("server: stops"), &Stage::StopServer},
      {std::regex("server: starts again"), &Stage::StartAgain},
      {std::regex("server: is backed up"), &Stage::BackUp},
      {std::regex("server: is restored"), &Stage::Restore},
      {std::regex("office: lets devices wait (\\d+) (s|min|h) after a restore"), &Stage::SetRestoreWait},
      {std::regex("office: releases the rebuilds"), &Stage::ReleaseRebuilds},
      {std::regex("source: (begins a stream with the last commit|begins a stream|has sent again)"), &Stage::SourceSays},
      {std::regex("source: is told (nothing|that the store was restored)(?: to (\\d+))?"), &Stage::SourceIsTold},
      {std::regex("server: forgets the removals of (\\w+)"), &Stage::ForgetRemovals},
      {std::regex("office: asks (d\\d) to sync, and (it is told|it is not connected)"), &Stage::AskForSync},
      {std::regex("office: asks (d\\d) to drop the copies of (.+)"), &Stage::AskForDrop},
      {std::regex("office: sets the (auto sync interval|mismatch grace|mismatch lead) to (\\d+) (s|min|h)"),
       &Stage::SetLength},
      {std::regex("server: begins a fan-out that concerns (\\w+)"), &Stage::BeginFanOut},
      {std::regex("server: ends the fan-out that concerns (\\w+)(, unheard)?"), &Stage::EndFanOut},
      {std::regex("(d\\d)'s credential lasts (\\d+) (s|min|h)"), &Stage::LimitCredential},
      {std::regex("(d\\d) of (\\w+) opens a stream"), &Stage::Open},
      {std::regex("(d\\d) of (\\w+) starts (\\w+)(?: with (.+))?"), &Stage::Start},
      {std::regex("(d\\d) starts again"), &Stage::StartAsSecond},
      {std::regex("(d\\d) acks"), &Stage::Acks},
      {std::regex("(d\\d) applies"), &Stage::Applies},
      {std::regex("(d\\d) acks token (.+)"), &Stage::AcksToken},
      {std::regex("(d\\d) acks with (a wrong sum|a wrong count|no count and sum)"), &Stage::AcksWrongly},
      {std::regex("(d\\d) says nothing in a message"), &Stage::SaysNothing},
      {std::regex("(d\\d) of (\\w+) records (the start )?(\\w+) on (\\w+)(?: as (\\w+))?"), &Stage::Records},
      {std::regex("(d\\d) of (\\w+) (changes|loses|keeps) (\\w+)"), &Stage::Changes},
      {std::regex("(d\\d) uploads ((?:e\\d ?)+)"), &Stage::Uploads},
      {std::regex("(d\\d) uploads (\\d+) events"), &Stage::UploadsMany},
      {std::regex("(d\\d) uploads (\\d+) bytes"), &Stage::UploadsOfBytes},
      {std::regex("(d\\d) uploads an event with an ID of (\\d+) bytes"), &Stage::UploadsWithIdOf},
      {std::regex("(d\\d) reads (\\d+) more"), &Stage::Reads},
      {std::regex("(d\\d) reads on()"), &Stage::Reads},
      {std::regex("(d\\d) loses the record (\\w+)"), &Stage::LosesRecord},
      {std::regex("(d\\d) remembers its token as (\\w+)"), &Stage::RemembersToken},
      {std::regex("(d\\d) is cut off"), &Stage::IsCut},
      {std::regex("(d\\d) ends its side"), &Stage::HalfCloses},
      {std::regex("(d\\d) sends its events again"), &Stage::SendsAgain},
      {std::regex("(d\\d) gets(?: (nothing)|: (.+))"), &Stage::Gets},
      {std::regex("(d\\d) is told: (\\w+)( and is not waited for)?(?: and to come back after (.+))?"), &Stage::Ends},
      {std::regex("(d\\d) is told on its old stream: (\\w+)"), &Stage::OldStreamEnds},
      {std::regex("(d\\d)'s stream is open"), &Stage::IsOpen},
      {std::regex("(d\\d) of (\\w+) holds: (.+)"), &Stage::Holds},
      {std::regex("(d\\d) of (\\w+) is making: (.+)"), &Stage::Makes},
      {std::regex("(d\\d) of (\\w+) has unsent: (.+)"), &Stage::Keeps},
      {std::regex("(d\\d) of (\\w+) shows a manual sync due since (.+)"), &Stage::ShowsManualDue},
      {std::regex("(d\\d)'s next auto sync is at (.+)"), &Stage::SyncsNext},
      {std::regex("(d\\d)'s history(?:, (\\d+) back)?: (.+)"), &Stage::History},
      {std::regex("(d\\d)'s report: (.+)"), &Stage::Report},
      {std::regex("(ended )?mismatches: (.+)"), &Stage::Mismatches},
      {std::regex("the mismatch of (\\w+) on (\\w+): (.+)"), &Stage::MismatchFacts},
      {std::regex("the way of (\\w+) to (\\w+): (.+)"), &Stage::WayFacts},
  };
  return *kForms;
}

Stage::Stage() {
  ReplaceEngine(std::make_unique<storage::MemoryStore>());
  engine_->CreateTenant(tenant_);
}

Stage::~Stage() { engine_->store().ReleaseAll(); }

absl::Status Stage::Play(const std::string& line) {
  for (const Form& form : Forms()) {
    std::smatch match;
    if (!std::regex_match(line, match, form.pattern)) continue;
    Words words;
    for (size_t i = 1; i < match.size(); ++i) words.push_back(match[i].str());
    if (absl::Status status = (this->*form.handler)(words); !status.ok()) return status;
    Settle();
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError("no line has this form; see tests/spec/README.md");
}

absl::Status Stage::CheckEnd() const {
  for (const auto& [name, actor] : actors_) {
    if (!actor->device.faults().empty()) return absl::InternalError(StrCat(name, ": ", actor->device.faults().front()));
    if (actor->peer == nullptr || actor->peer->received().empty()) continue;
    return absl::InternalError(StrCat(name, " also got: ", Render(actor->peer->received().front(), names_)));
  }
  return absl::OkStatus();
}

void Stage::ReplaceEngine(std::unique_ptr<storage::MemoryStore> memory) {
  for (auto& [name, actor] : actors_) {
    actor->old_peer.reset();
    actor->peer.reset();
  }
  std::optional<absl::Time> now;
  if (engine_ != nullptr) now = engine_->clock().Now();
  server_.reset();
  engine_ = std::make_unique<fakes::Engine>(std::move(memory), ++openings_, now, fakes::Mismatches::kNoted);
  server_ = std::make_unique<fakes::SyncServer>(*engine_, batch_bytes_);
}

void Stage::Settle() {
  bool moved = true;
  while (moved) {
    engine_->executor().RunAll();
    moved = false;
    for (auto& [name, actor] : actors_) {
      if (actor->old_peer != nullptr) moved |= actor->old_peer->Step();
      if (actor->peer == nullptr) continue;
      const size_t before = actor->peer->received().size();
      actor->peer->SetReading(!actor->reads.has_value() || *actor->reads > 0);
      moved |= actor->peer->Step();
      if (actor->reads.has_value()) *actor->reads -= actor->peer->received().size() - before;
    }
  }
}

// ---- The office and the rota

base::Uuid Stage::IdOf(v1::RecordKind kind, const std::string& name) {
  const base::Uuid id = records::IntegratedId(tenant_, kSource, kind, name);
  names_[id.ToString()] = name;
  return id;
}

absl::StatusOr<v1::RosterChange> Stage::ChangeOf(const std::string& text) {
  static const std::regex kVisit(
      "visit (\\w+) for (\\w+) by ([\\w ]+?)(?: at (\\d+))?(, cancelled|, not published)?(?:, saying (.+))?");
  static const std::regex kOther("(carer|service user) (\\w+)(, left)?");
  static const std::regex kGroup("group (\\w+) of ([\\w ]+?)(, dissolved)?");
  std::smatch match;
  if (std::regex_match(text, match, kOther)) {
    const bool carer = match[1] == "carer";
    IdOf(carer ? v1::RECORD_KIND_CARER : v1::RECORD_KIND_SERVICE_USER, match[2]);
    v1::RosterChange change = carer ? fakes::CarerChange(match[2]) : fakes::ServiceUserChange(match[2]);
    if (match[3].matched) change.mutable_carer()->set_left(true);
    return change;
  }
  if (std::regex_match(text, match, kGroup)) {
    IdOf(v1::RECORD_KIND_EMPLOYEE_GROUP, match[1]);
    const std::vector<std::string> members = absl::StrSplit(match[2].str(), ' ');
    v1::RosterChange change = fakes::GroupChange(match[1], match[2] == "nobody" ? std::vector<std::string>() : members);
    change.mutable_employee_group()->set_dissolved(match[3].matched);
    return change;
  }
  if (!std::regex_match(text, match, kVisit)) return absl::InvalidArgumentError(StrCat("no rota change: ", text));
  IdOf(v1::RECORD_KIND_VISIT, match[1]);
  v1::RosterChange change = fakes::VisitChange(match[1], match[2], absl::StrSplit(match[3].str(), ' '));
  for (v1::RosterAssignment& part : *change.mutable_visit()->mutable_assignments()) {
    if (!match[4].matched) break;
    *part.mutable_start_time() = fakes::AtHour(std::stoi(match[4]));
    *part.mutable_end_time() = fakes::AtHour(std::stoi(match[4]) + 1);
  }
  if (match[5] == ", cancelled") change.mutable_visit()->set_cancelled(true);
  if (match[5] == ", not published") change.mutable_visit()->set_published(false);
  change.mutable_visit()->set_notes(match[6]);
  return change;
}

absl::Status Stage::Rota(const Words& words) {
  v1::ApplyChangesRequest request;
  for (absl::string_view text : absl::StrSplit(words[0], "; ")) {
    absl::StatusOr<v1::RosterChange> change = ChangeOf(std::string(text));
    if (!change.ok()) return change.status();
    change->set_source(kSource);
    *request.add_changes() = *std::move(change);
  }
  answer_ = engine_->Send(tenant_, kSource, request);
  last_commit_ = answer_.commit();
  for (const v1::ChangeResult& result : answer_.results()) {
    if (result.outcome() == v1::CHANGE_OUTCOME_REJECTED) return absl::InvalidArgumentError(result.error().message());
    if (result.outcome() == v1::CHANGE_OUTCOME_WAITING) return absl::InvalidArgumentError("a change waits");
  }
  return absl::OkStatus();
}

absl::Status Stage::SetBlocked(const Words& words) {
  v1::UpdateDeviceRequest request;
  request.set_device_uuid(ActorOf(words[1]).device.uuid().ToString());
  request.set_set_blocked(true);
  request.set_blocked(words[0] == "blocks");
  return UpdateDevice(request);
}

absl::Status Stage::SetUsers(const Words& words) {
  v1::UpdateDeviceRequest request;
  request.set_device_uuid(ActorOf(words[0]).device.uuid().ToString());
  request.set_allow_missing(true);
  request.set_set_users(true);
  for (absl::string_view carer : absl::StrSplit(words[1], ' ')) {
    request.add_carer_ids(IdOf(v1::RECORD_KIND_CARER, std::string(carer)).ToString());
  }
  return UpdateDevice(request);
}

absl::Status Stage::UpdateDevice(const v1::UpdateDeviceRequest& request) {
  devices::DeviceRegistry registry(engine_->store(), engine_->clock(), engine_->executor());
  absl::Status status = absl::InternalError("the device is not updated");
  registry.Update(tenant_, request, [&status](absl::Status updated) { status = std::move(updated); });
  engine_->executor().RunAll();
  return status;
}

// ---- The server and its store

absl::Status Stage::PassTime(const Words& words) {
  engine_->Advance(Amount(words[0], words[1]));
  return absl::OkStatus();
}

absl::Status Stage::FailCommit(const Words& words) {
  static const std::map<std::string, fakes::Fault> kFaults = {
      {"is FULL", fakes::Fault::kFull},
      {"is UNAVAILABLE", fakes::Fault::kUnavailable},
      {"meets a CONFLICT", fakes::Fault::kConflict},
      {"is UNKNOWN and done", fakes::Fault::kUnknownApplied},
      {"is UNKNOWN and not done", fakes::Fault::kUnknownNotApplied},
  };
  engine_->store().FailNext(kFaults.at(words[0]));
  return absl::OkStatus();
}

absl::Status Stage::HoldBack(const Words& words) {
  engine_->store().HoldBackDone(true);
  return absl::OkStatus();
}

absl::Status Stage::Answer(const Words& words) {
  engine_->store().HoldBackDone(false);
  engine_->store().ReleaseAll();
  return absl::OkStatus();
}

absl::Status Stage::LimitBatches(const Words& words) {
  batch_bytes_ = std::stoul(words[0]);
  server_ = std::make_unique<fakes::SyncServer>(*engine_, batch_bytes_);
  return absl::OkStatus();
}

absl::Status Stage::StopServer(const Words& words) {
  for (const auto& [name, actor] : actors_) {
    if (actor->peer != nullptr && !actor->peer->end().has_value()) {
      actor->peer->Stop(base::errors::ShuttingDown(absl::Seconds(5)));
    }
  }
  return absl::OkStatus();
}

// As after a crash: what was not written is gone, and no stream ends in order.
absl::Status Stage::StartAgain(const Words& words) {
  ReplaceEngine(engine_->memory().Copy());
  return absl::OkStatus();
}

absl::Status Stage::ForgetRemovals(const Words& words) {
  const base::ReceiverId receiver = records::CarerReceiver(IdOf(v1::RECORD_KIND_CARER, words[0]));
  size_t forgotten = 0;
  const auto committed = engine_->Run(tenant_, [&](commit::Transaction& transaction) {
    const feed::Position end = feed::Position::EndOf(transaction.revision());
    const absl::StatusOr<size_t> deleted = feed::Compact(transaction, receiver, end, 1'000);
    if (deleted.ok()) forgotten = *deleted;
    return deleted.status();
  });
  if (!committed.ok()) return committed.status();
  return forgotten > 0 ? absl::OkStatus() : absl::FailedPreconditionError("the feed has no removals");
}

}  // namespace caresync::spec
