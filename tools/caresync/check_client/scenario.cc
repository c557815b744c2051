#include "tools/caresync/check_client/scenario.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/base/status_macros.h"
#include "tools/caresync/check_client/embedded_scenarios.h"
#include "tools/caresync/check_client/scenario_lines.h"
#include "tools/caresync/errors.h"

namespace caresync::cli::check {
namespace {

// What must be so from line to line, whatever the device does.
class Reader {
 public:
  // A message; empty where the line may come next.
  std::string Take(const Line& line) {
    return std::visit([&](const auto& action) { return Check(action); }, line.action);
  }
  bool open() const { return open_; }
  bool started() const { return started_; }

 private:
  static constexpr char kNoStream[] = "no stream is open here: `d1 of c1 starts ...` comes first";
  static constexpr char kOpenStream[] =
      "a stream is open here: end it first, with `d1 is told: ...` or `d1 is cut off`";

  std::string Check(const Records& records) {
    if (open_) return kOpenStream;
    for (const std::string& event : records.events) {
      if (!events_.insert(event).second) return absl::StrCat(event, " was recorded before");
    }
    return "";
  }
  std::string Check(const Starts& starts) {
    if (open_) return kOpenStream;
    open_ = started_ = true;
    for (const std::string& token : starts.tokens) {
      if (token != "none" && !tokens_.contains(token)) return absl::StrCat(token, " was not given yet");
    }
    return "";
  }
  std::string Check(const Uploads& uploads) { return OpenAndRecorded(uploads.events); }
  std::string Check(const SendsAgain& sends) { return OpenAndRecorded(sends.events); }
  std::string Check(const Gets& gets) {
    if (!open_) return kNoStream;
    for (const Item& item : gets.items) {
      if (std::string wrong = std::visit([&](const auto& part) { return CheckItem(part); }, item); !wrong.empty()) {
        return wrong;
      }
    }
    return "";
  }
  std::string Check(const Acks& acks) {
    if (!open_) return kNoStream;
    if (!acks.token.empty() && !tokens_.contains(acks.token)) return absl::StrCat(acks.token, " was not given yet");
    return "";
  }
  std::string Check(const IsTold&) { return Close(); }
  std::string Check(const CutOff&) { return Close(); }
  std::string Check(const Killed&) { return Close(); }

  std::string CheckItem(const ChangesItem& changes) {
    for (const RecordRef& upsert : changes.upserts) {
      if (upsert.name[0] == 'e' && !events_.contains(upsert.name))
        return absl::StrCat(upsert.name, " was not recorded");
    }
    return Give(changes.token);
  }
  std::string CheckItem(const CaughtUpItem& caught_up) { return Give(caught_up.token); }
  template <typename Other>
  std::string CheckItem(const Other&) {
    return "";
  }

  std::string Give(const std::string& token) {
    return tokens_.insert(token).second ? "" : absl::StrCat(token, " was given before");
  }
  std::string OpenAndRecorded(const std::vector<std::string>& events) const {
    if (!open_) return kNoStream;
    for (const std::string& event : events) {
      if (!events_.contains(event)) return absl::StrCat(event, " was not recorded");
    }
    return "";
  }
  std::string Close() {
    if (!open_) return kNoStream;
    open_ = false;
    return "";
  }

  bool open_ = false;
  bool started_ = false;
  std::set<std::string> tokens_;
  std::set<std::string> events_;
};

absl::Status Wrong(const std::string& file, int number, const std::string& what) {
  return errors::ScenarioNotValid(absl::StrCat(file, ":", number), what);
}

absl::StatusOr<Scenario> ParseTitle(const std::string& file, int number, absl::string_view title) {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(title, absl::MaxSplits(": ", 1));
  Scenario scenario;
  scenario.name = std::string(absl::StripAsciiWhitespace(parts.first));
  scenario.title = std::string(absl::StripAsciiWhitespace(parts.second));
  const bool plain = std::all_of(scenario.name.begin(), scenario.name.end(),
                                 [](char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '_'; });
  if (scenario.name.empty() || !plain || scenario.title.empty()) {
    return Wrong(file, number, "a title is `## a_name: One sentence.`");
  }
  return scenario;
}

absl::Status Validate(const std::string& file, const Scenario& scenario) {
  Reader reader;
  for (const Line& line : scenario.lines) {
    if (const std::string wrong = reader.Take(line); !wrong.empty()) return Wrong(file, line.number, wrong);
  }
  if (!reader.started()) return errors::ScenarioNotValid(file, absl::StrCat(scenario.name, " opens no stream"));
  if (reader.open()) return errors::ScenarioNotValid(file, absl::StrCat(scenario.name, " leaves its stream open"));
  return absl::OkStatus();
}

}  // namespace

std::vector<const Rule*> Scenario::RulesShown() const {
  std::vector<const Rule*> rules;
  for (const Line& line : lines) {
    if (line.rule == nullptr || std::find(rules.begin(), rules.end(), line.rule) != rules.end()) continue;
    rules.push_back(line.rule);
  }
  return rules;
}

absl::StatusOr<std::vector<Scenario>> ParseScenarios(const std::string& file, std::string_view text) {
  std::vector<Scenario> scenarios;
  std::vector<Line> common;
  std::set<std::string> names;
  int number = 0;
  for (absl::string_view raw : absl::StrSplit(absl::string_view(text.data(), text.size()), '\n')) {
    ++number;
    absl::string_view row = absl::StripAsciiWhitespace(raw);
    if (absl::ConsumePrefix(&row, "## ")) {
      ASSIGN_OR_RETURN(Scenario scenario, ParseTitle(file, number, row));
      if (!names.insert(scenario.name).second) return Wrong(file, number, absl::StrCat("a second ", scenario.name));
      scenario.lines = common;
      scenarios.push_back(std::move(scenario));
      continue;
    }
    if (row.empty() || row.front() == '#') continue;
    absl::StatusOr<Line> line = ParseLine(number, row);
    if (!line.ok()) return Wrong(file, number, std::string(line.status().message()));
    (scenarios.empty() ? common : scenarios.back().lines).push_back(*std::move(line));
  }
  if (scenarios.empty()) return errors::ScenarioNotValid(file, "it holds no scenario");
  for (const Scenario& scenario : scenarios) RETURN_IF_ERROR(Validate(file, scenario));
  return scenarios;
}

const std::vector<Scenario>& AllScenarios() {
  static const auto* const all = [] {
    auto* scenarios = new std::vector<Scenario>();
    for (const EmbeddedScenarios& file : EmbeddedScenarioFiles()) {
      absl::StatusOr<std::vector<Scenario>> parsed = ParseScenarios(std::string(file.name), file.text);
      if (!parsed.ok()) ABSL_RAW_LOG(FATAL, "%s", std::string(parsed.status().message()).c_str());
      for (Scenario& scenario : *parsed) scenarios->push_back(std::move(scenario));
    }
    return scenarios;
  }();
  return *all;
}

}  // namespace caresync::cli::check
