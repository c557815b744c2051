#include "tools/caresync/check_client/dialogue_reader.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace caresync::cli::check {
namespace {

constexpr char kNoStream[] = "no stream is open here: `d1 of c1 starts ...` comes first";
constexpr char kOpenStream[] = "a stream is open here: end it first, with `d1 is told: ...` or `d1 is cut off`";

}  // namespace

std::string DialogueReader::Take(const Line& line) {
  return std::visit([&](const auto& action) { return Check(action); }, line.action);
}

// ---- Lines

std::string DialogueReader::Check(const Records& records) {
  if (open_) return kOpenStream;
  ForgetWhatMayBeRefused();
  for (const std::string& event : records.events) {
    if (!events_.emplace(event, records.visit).second) return absl::StrCat(event, " was recorded before");
  }
  return "";
}

std::string DialogueReader::Check(const Starts& starts) {
  if (open_) return kOpenStream;
  ForgetWhatMayBeRefused();
  open_ = started_ = true;
  carer_ = starts.carer;
  Possible possible;
  for (const std::string& token : starts.tokens) {
    const auto given = held_.after.find(token);
    if (token == "none") {
      for (const Copies& copies : Now()) possible.push_back({copies.in_use, std::nullopt});
    } else if (given == held_.after.end()) {
      return absl::StrCat(token, " was not given yet");
    } else {
      possible.insert(possible.end(), given->second.begin(), given->second.end());
    }
  }
  if (starts.or_refuses) before_refusal_ = held_;
  Now() = std::move(possible);
  return "";
}

std::string DialogueReader::Check(const Uploads& uploads) { return OpenAndRecorded(uploads.events); }

std::string DialogueReader::Check(const SendsAgain& sends) { return OpenAndRecorded(sends.events); }

std::string DialogueReader::Check(const Gets& gets) {
  if (!open_) return kNoStream;
  for (const Item& item : gets.items) {
    std::string wrong = std::visit([&](const auto& part) { return CheckItem(part); }, item);
    if (!wrong.empty()) return wrong;
  }
  return "";
}

std::string DialogueReader::Check(const Acks& acks) {
  if (!open_) return kNoStream;
  if (acks.token.empty() || held_.after.contains(acks.token)) return "";
  return absl::StrCat(acks.token, " was not given yet");
}

// ---- Parts of a message

std::string DialogueReader::CheckItem(const StartedItem& started) {
  Drop(started.drop);
  return "";
}

std::string DialogueReader::CheckItem(const NoticeItem& notice) {
  Drop(notice.drop);
  return "";
}

std::string DialogueReader::CheckItem(const RebuildItem&) {
  for (Copies& copies : Now()) copies.making.emplace();
  return "";
}

std::string DialogueReader::CheckItem(const ChangesItem& changes) {
  std::set<std::string> before;
  for (const RecordRef& upsert : changes.upserts) {
    const std::string& name = upsert.name;
    if (name[0] == 'e' && !events_.contains(name)) return absl::StrCat(name, " was not recorded");
    // So docs/protocol.md promises it of the next visits.
    const std::string missing = changes.next_visits ? Missing(name, before) : "";
    if (!missing.empty()) return absl::StrCat(name, " comes before ", missing);
    before.insert(name);
  }
  for (Copies& copies : Now()) {
    if (!copies.making && !copies.in_use) copies.in_use.emplace();
    std::set<std::string>& records = copies.making ? *copies.making : *copies.in_use;
    records.insert(before.begin(), before.end());
    for (const std::string& removal : changes.removals) records.erase(removal);
  }
  return Give(changes.token);
}

std::string DialogueReader::CheckItem(const CaughtUpItem& caught_up) {
  for (Copies& copies : Now()) {
    if (copies.making) copies.in_use = std::exchange(copies.making, std::nullopt);
    if (!copies.in_use) copies.in_use.emplace();
    for (const std::string& name : *copies.in_use) {
      const std::string missing = Missing(name, *copies.in_use);
      if (!missing.empty()) return absl::StrCat("the copy is complete with ", name, " and without ", missing);
    }
  }
  return Give(caught_up.token);
}

std::string DialogueReader::Missing(const std::string& name, const std::set<std::string>& records) const {
  const auto unless_held = [&](const std::string& other) { return records.contains(other) ? "" : other; };
  if (name[0] == 'a') return unless_held("p1");
  if (name[0] == 'e') return unless_held(events_.at(name));
  if (name[0] != 'v') return "";
  return records.contains("p1") ? unless_held(carer_) : "p1";
}

std::string DialogueReader::Give(const std::string& token) {
  return held_.after.emplace(token, Now()).second ? "" : absl::StrCat(token, " was given before");
}

// ---- What lines share

std::string DialogueReader::OpenAndRecorded(const std::vector<std::string>& events) const {
  if (!open_) return kNoStream;
  for (const std::string& event : events) {
    if (!events_.contains(event)) return absl::StrCat(event, " was not recorded");
  }
  return "";
}

std::string DialogueReader::Close() {
  if (!open_) return kNoStream;
  open_ = false;
  return "";
}

void DialogueReader::ForgetWhatMayBeRefused() {
  if (before_refusal_) held_ = *std::exchange(before_refusal_, std::nullopt);
}

void DialogueReader::Drop(const std::vector<std::string>& carers) {
  for (const std::string& carer : carers) held_.now.insert_or_assign(carer, Possible(1));
}

}  // namespace caresync::cli::check
