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
#include "tools/caresync/check_client/dialogue_reader.h"
#include "tools/caresync/check_client/embedded_scenarios.h"
#include "tools/caresync/check_client/scenario_lines.h"
#include "tools/caresync/errors.h"

namespace caresync::cli::check {
namespace {

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
  DialogueReader reader;
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

bool Scenario::NamesLevels() const {
  return std::any_of(lines.begin(), lines.end(), [](const Line& line) {
    const Starts* starts = std::get_if<Starts>(&line.action);
    return starts != nullptr && starts->level.has_value();
  });
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
