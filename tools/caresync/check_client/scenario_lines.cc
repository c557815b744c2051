#include "tools/caresync/check_client/scenario_lines.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/base/status_macros.h"
#include "tools/caresync/check_client/endings.h"

namespace caresync::cli::check {
namespace {

using Words = std::vector<absl::string_view>;

// Far more than any scenario needs, and no memory to speak of.
constexpr int kMostNames = 1000;

absl::Status Wrong(const std::string& what) { return absl::InvalidArgumentError(what); }

Words WordsOf(absl::string_view text) { return absl::StrSplit(text, ' ', absl::SkipEmpty()); }

// A letter of `kinds` and a number.
bool IsName(absl::string_view word, absl::string_view kinds) {
  int number = 0;
  return word.size() > 1 && absl::StrContains(kinds, word.substr(0, 1)) && absl::SimpleAtoi(word.substr(1), &number) &&
         number > 0 && absl::StrCat(number) == word.substr(1);
}

absl::StatusOr<std::string> ParseName(absl::string_view word, absl::string_view kinds) {
  if (IsName(word, kinds)) return std::string(word);
  return Wrong(absl::StrCat("\"", word, "\" is no name such as ", kinds.substr(0, 1), "1"));
}

// v1, or v1..v9.
absl::Status AppendNames(absl::string_view word, absl::string_view kinds, std::vector<std::string>& names) {
  const std::pair<absl::string_view, absl::string_view> ends = absl::StrSplit(word, absl::MaxSplits("..", 1));
  if (ends.second.empty()) {
    ASSIGN_OR_RETURN(names.emplace_back(), ParseName(word, kinds));
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::string first, ParseName(ends.first, kinds));
  ASSIGN_OR_RETURN(const std::string last, ParseName(ends.second, kinds));
  int from = 0;
  int to = 0;
  const bool numbers = absl::SimpleAtoi(first.substr(1), &from) && absl::SimpleAtoi(last.substr(1), &to);
  if (!numbers || first[0] != last[0] || to < from || to - from >= kMostNames) {
    return Wrong(absl::StrCat("\"", word, "\" is no range of names"));
  }
  for (int number = from; number <= to; ++number) names.push_back(absl::StrCat(first.substr(0, 1), number));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> ParseNames(absl::string_view text, absl::string_view kinds) {
  std::vector<std::string> names;
  for (const absl::string_view word : WordsOf(text)) RETURN_IF_ERROR(AppendNames(word, kinds, names));
  if (names.empty()) return Wrong("names are missing");
  return names;
}

// ---- Parts of a message

absl::StatusOr<Item> ParseStarted(absl::string_view rest) {
  StartedItem item;
  if (absl::ConsumePrefix(&rest, "drop_now ")) {
    ASSIGN_OR_RETURN(item.drop, ParseNames(rest, "c"));
    return item;
  }
  for (const absl::string_view word : WordsOf(rest)) {
    if (word == "waiting") {
      item.waiting = true;
    } else if (word == "resend_events") {
      item.resend_events = true;
    } else {
      return Wrong(absl::StrCat("`started` knows no \"", word, "\""));
    }
  }
  return item;
}

absl::StatusOr<ResultsItem::Result> ParseResult(absl::string_view word) {
  ResultsItem::Result result;
  if (v1::EventOutcome_Parse(absl::StrCat("EVENT_OUTCOME_", word), &result.outcome) &&
      result.outcome != v1::EVENT_OUTCOME_FOR_REVIEW) {
    return result;
  }
  result.outcome = v1::EVENT_OUTCOME_FOR_REVIEW;
  if (v1::ReviewReason_Parse(absl::StrCat("REVIEW_REASON_", word), &result.reason)) return result;
  return Wrong(absl::StrCat("\"", word, "\" is neither ACCEPTED nor KNOWN nor a reason for review"));
}

absl::StatusOr<Item> ParseResults(absl::string_view rest) {
  ResultsItem item;
  if (rest == "of the first upload") {
    item.first_upload = true;
    return item;
  }
  for (const absl::string_view word : WordsOf(rest)) {
    const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(word, absl::MaxSplits('=', 1));
    ASSIGN_OR_RETURN(const std::string event, ParseName(parts.first, "e"));
    ASSIGN_OR_RETURN(item.of[event], ParseResult(parts.second));
  }
  return item;
}

absl::StatusOr<Item> ParseRebuild(absl::string_view rest) {
  RebuildItem item;
  if (v1::RebuildReason_Parse(absl::StrCat("REBUILD_REASON_", rest), &item.reason)) return item;
  return Wrong(absl::StrCat("\"", rest, "\" is no reason for a new copy"));
}

absl::Status AppendUpserts(absl::string_view word, std::vector<RecordRef>& upserts) {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(word, absl::MaxSplits('=', 1));
  std::vector<std::string> names;
  RETURN_IF_ERROR(AppendNames(parts.first, "cpvae", names));
  for (std::string& name : names) upserts.push_back({std::move(name), std::string(parts.second)});
  return absl::OkStatus();
}

// Cuts `as t1` off the end.
absl::StatusOr<std::string> TakeToken(absl::string_view& rest) {
  const size_t at = rest.rfind("as ");
  if (at == absl::string_view::npos) return Wrong("the token is missing: say `as t1`");
  ASSIGN_OR_RETURN(std::string token, ParseName(absl::StripAsciiWhitespace(rest.substr(at + 3)), "t"));
  rest = absl::StripAsciiWhitespace(rest.substr(0, at));
  return token;
}

absl::StatusOr<Item> ParseChanges(absl::string_view rest, bool next_visits) {
  ChangesItem item;
  item.next_visits = next_visits;
  ASSIGN_OR_RETURN(item.token, TakeToken(rest));
  for (absl::string_view word : WordsOf(rest)) {
    if (absl::ConsumePrefix(&word, "+")) {
      RETURN_IF_ERROR(AppendUpserts(word, item.upserts));
    } else if (absl::ConsumePrefix(&word, "-")) {
      RETURN_IF_ERROR(AppendNames(word, "cpvae", item.removals));
    } else {
      return Wrong(absl::StrCat("\"", word, "\" is neither +record nor -record"));
    }
  }
  return item;
}

absl::StatusOr<Item> ParseCaughtUp(absl::string_view rest) {
  CaughtUpItem item;
  ASSIGN_OR_RETURN(item.token, TakeToken(rest));
  if (!rest.empty()) return Wrong(absl::StrCat("`caught_up` knows no \"", rest, "\""));
  return item;
}

// 600 s
absl::StatusOr<int64_t> ParseSeconds(absl::string_view text) {
  int64_t seconds = 0;
  if (absl::ConsumeSuffix(&text, " s") && absl::SimpleAtoi(text, &seconds) && seconds >= 0) return seconds;
  return Wrong("give a time such as 1 s");
}

absl::StatusOr<Item> ParseNotice(absl::string_view rest) {
  NoticeItem item;
  if (rest == "unknown") {
    // Of a later server.
    item.notice.GetReflection()->MutableUnknownFields(&item.notice)->AddLengthDelimited(900, "later");
  } else if (rest == "sync_now") {
    item.notice.mutable_sync_now();
  } else if (absl::ConsumePrefix(&rest, "preferences ")) {
    ASSIGN_OR_RETURN(const int64_t seconds, ParseSeconds(rest));
    item.notice.mutable_preferences()->mutable_auto_sync_interval()->set_seconds(seconds);
    item.notice.mutable_preferences()->set_time_zone("Europe/London");
  } else if (absl::ConsumePrefix(&rest, "going_away ")) {
    ASSIGN_OR_RETURN(const int64_t seconds, ParseSeconds(rest));
    item.notice.mutable_going_away()->mutable_reconnect_after()->set_seconds(seconds);
  } else if (absl::ConsumePrefix(&rest, "drop_now ")) {
    ASSIGN_OR_RETURN(item.drop, ParseNames(rest, "c"));
  } else {
    return Wrong(absl::StrCat("there is no notice \"", rest, "\""));
  }
  return item;
}

absl::StatusOr<Item> ParseItem(absl::string_view text) {
  if (text == "an unknown field") return UnknownItem();
  if (text == "sync_recorded") return SyncRecordedItem();
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(text, absl::MaxSplits(' ', 1));
  if (parts.first == "started") return ParseStarted(parts.second);
  if (parts.first == "results") return ParseResults(parts.second);
  if (parts.first == "rebuild") return ParseRebuild(parts.second);
  if (parts.first == "changes") return ParseChanges(parts.second, false);
  if (parts.first == "next_visits") return ParseChanges(parts.second, true);
  if (parts.first == "caught_up") return ParseCaughtUp(parts.second);
  if (parts.first == "notice") return ParseNotice(parts.second);
  return Wrong(absl::StrCat("the server sends no \"", text, "\""));
}

// ---- Lines

absl::StatusOr<Action> ParseGets(absl::string_view rest) {
  Gets gets;
  for (const absl::string_view part : absl::StrSplit(rest, ',')) {
    ASSIGN_OR_RETURN(gets.items.emplace_back(), ParseItem(absl::StripAsciiWhitespace(part)));
  }
  return gets;
}

absl::Status ParseTokens(absl::string_view text, std::vector<std::string>& tokens) {
  for (const absl::string_view word : absl::StrSplit(text, " or ")) {
    if (word == "none") {
      tokens.push_back("none");
    } else {
      ASSIGN_OR_RETURN(tokens.emplace_back(), ParseName(word, "t"));
    }
  }
  return absl::OkStatus();
}

absl::Status ParseStartOption(absl::string_view option, Starts& starts) {
  if (option == "follow") {
    starts.follow = true;
    return absl::OkStatus();
  }
  if (absl::ConsumePrefix(&option, "token ")) return ParseTokens(option, starts.tokens);
  if (absl::ConsumePrefix(&option, "level ") && absl::SimpleAtoi(option, &starts.level.emplace())) {
    return absl::OkStatus();
  }
  return Wrong(absl::StrCat("`starts` knows no \"", option, "\""));
}

absl::StatusOr<Action> ParseStarts(std::string carer, absl::string_view rest) {
  Starts starts;
  starts.carer = std::move(carer);
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(rest, absl::MaxSplits(" with ", 1));
  absl::string_view what = parts.first;
  starts.again = absl::ConsumeSuffix(&what, " again");
  starts.or_refuses = absl::ConsumeSuffix(&what, " or refuses");
  if (!v1::SyncType_Parse(absl::StrCat("SYNC_TYPE_", what), &starts.type)) {
    return Wrong(absl::StrCat("\"", what, "\" is no kind of sync"));
  }
  for (const absl::string_view option : absl::StrSplit(parts.second, ',')) {
    RETURN_IF_ERROR(ParseStartOption(absl::StripAsciiWhitespace(option), starts));
  }
  if (starts.tokens.empty()) return Wrong("say with which token it starts");
  return starts;
}

absl::StatusOr<Action> ParseRecords(std::string carer, absl::string_view rest) {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(rest, absl::MaxSplits(" on ", 1));
  Records records;
  records.carer = std::move(carer);
  ASSIGN_OR_RETURN(records.events, ParseNames(parts.first, "e"));
  ASSIGN_OR_RETURN(records.visit, ParseName(parts.second, "v"));
  return records;
}

// Of one carer: `c1 starts ...`.
absl::StatusOr<Action> ParseOfCarer(absl::string_view rest) {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(rest, absl::MaxSplits(' ', 1));
  ASSIGN_OR_RETURN(std::string carer, ParseName(parts.first, "c"));
  absl::string_view what = parts.second;
  if (absl::ConsumePrefix(&what, "starts ")) return ParseStarts(std::move(carer), what);
  if (absl::ConsumePrefix(&what, "records ")) return ParseRecords(std::move(carer), what);
  return Wrong("a carer `starts` or `records`");
}

absl::StatusOr<Action> ParseAcks(absl::string_view rest) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(rest, absl::MaxSplits(" and that it dropped ", 1));
  Acks acks;
  ASSIGN_OR_RETURN(acks.token, ParseName(parts.first, "t"));
  if (parts.second.empty()) return acks;
  ASSIGN_OR_RETURN(acks.dropped, ParseNames(parts.second, "c"));
  return acks;
}

absl::StatusOr<Action> ParseSendsAgain(absl::string_view rest) {
  SendsAgain sends;
  if (rest == "nothing") return sends;
  ASSIGN_OR_RETURN(sends.events, ParseNames(rest, "e"));
  return sends;
}

absl::StatusOr<Action> ParseAction(absl::string_view text) {
  if (absl::ConsumePrefix(&text, "d1 of ")) return ParseOfCarer(text);
  if (text == "d1 is cut off") return CutOff();
  if (text == "d1 is killed") return Killed();
  if (absl::ConsumePrefix(&text, "d1 gets: ")) return ParseGets(text);
  if (absl::ConsumePrefix(&text, "d1 acks that it dropped ")) {
    Acks acks;
    ASSIGN_OR_RETURN(acks.dropped, ParseNames(text, "c"));
    return acks;
  }
  if (absl::ConsumePrefix(&text, "d1 acks ")) return ParseAcks(text);
  if (absl::ConsumePrefix(&text, "d1 uploads ")) {
    Uploads uploads;
    uploads.declared = text == "what it declares";
    if (uploads.declared) return uploads;
    ASSIGN_OR_RETURN(uploads.events, ParseNames(text, "e"));
    return uploads;
  }
  if (absl::ConsumePrefix(&text, "d1 sends its events again: ")) return ParseSendsAgain(text);
  if (absl::ConsumePrefix(&text, "d1 is told: ")) {
    if (IsEnding(std::string_view(text.data(), text.size()))) return IsTold{std::string(text)};
    return Wrong(absl::StrCat("no stream ends with \"", text, "\""));
  }
  return Wrong(absl::StrCat("\"", text, "\" is no line of a dialogue"));
}

}  // namespace

absl::StatusOr<Line> ParseLine(int number, absl::string_view text) {
  Line line;
  line.number = number;
  if (absl::EndsWith(text, "]")) {
    const size_t at = text.rfind('[');
    if (at == absl::string_view::npos) return Wrong("`]` without `[`");
    const absl::string_view rule = text.substr(at + 1, text.size() - at - 2);
    line.rule = FindRule(std::string_view(rule.data(), rule.size()));
    if (line.rule == nullptr) return Wrong(absl::StrCat("there is no rule ", rule));
    text = absl::StripAsciiWhitespace(text.substr(0, at));
  }
  line.text = std::string(text);
  ASSIGN_OR_RETURN(line.action, ParseAction(text));
  return line;
}

}  // namespace caresync::cli::check
