#include "tools/caresync/check_client/report.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "tools/caresync/output.h"

namespace caresync::cli::check {
namespace {

using Json = nlohmann::ordered_json;

// Text of the device may be no UTF-8.
void PrintLine(std::ostream& out, const Json& json) {
  out << json.dump(-1, ' ', false, Json::error_handler_t::replace) << "\n" << std::flush;
}

Json FindingJson(const Finding& finding) {
  return {{"rule", std::string(finding.rule->name)},
          {"text", std::string(finding.rule->text)},
          {"section", std::string(finding.rule->section)},
          {"line", finding.line_text},
          {"expected", finding.expected},
          {"seen", finding.seen}};
}

Json RuleNames(const Scenario& scenario) {
  Json names = Json::array();
  for (const Rule* rule : scenario.RulesShown()) names.push_back(std::string(rule->name));
  return names;
}

void PrintFinding(std::ostream& out, const Finding& finding) {
  out << "      " << finding.rule->name << ": " << finding.rule->text << "\n"
      << "        at:       " << Printable(finding.line_text) << "\n"
      << "        expected: " << Printable(finding.expected) << "\n"
      << "        seen:     " << Printable(finding.seen) << "\n"
      << "        see:      docs/protocol.md, \"" << finding.rule->section << "\"\n";
}

}  // namespace

void Report::TellAddress(const std::string& address) {
  if (json_) return PrintLine(out_, {{"event", "listening"}, {"address", address}});
  out_ << "check-client listening on " << address << " (plaintext; any bearer token is taken, such as \"check\")\n"
       << std::flush;
}

void Report::Tell(const Verdict& verdict) {
  ++played_;
  passed_ += verdict.broken.empty() ? 1 : 0;
  for (const Finding& finding : verdict.broken) broken_.insert(std::string(finding.rule->name));
  if (json_) {
    Json broken = Json::array();
    for (const Finding& finding : verdict.broken) broken.push_back(FindingJson(finding));
    return PrintLine(out_, {{"event", "scenario"},
                            {"scenario", verdict.scenario->name},
                            {"result", verdict.broken.empty() ? "PASS" : "BROKEN"},
                            {"rules", RuleNames(*verdict.scenario)},
                            {"broken", broken},
                            {"device_output", verdict.output}});
  }
  const bool pass = verdict.broken.empty();
  out_ << Paint(pass ? "PASS  " : "BROKEN", pass ? Colour::kGreen : Colour::kRed, colours_) << "  "
       << verdict.scenario->name << ": " << verdict.scenario->title << "\n";
  for (const Finding& finding : verdict.broken) PrintFinding(out_, finding);
  if (!verdict.output.empty()) {
    out_ << "      the device said:\n";
    for (const absl::string_view line : absl::StrSplit(verdict.output, '\n')) {
      out_ << "        " << Printable(std::string(line)) << "\n";
    }
  }
  out_ << std::flush;
}

bool Report::TellEnd() {
  const bool ok = passed_ == played_;
  if (json_) {
    PrintLine(out_, {{"event", "summary"},
                     {"scenarios", played_},
                     {"passed", passed_},
                     {"broken_rules", std::vector<std::string>(broken_.begin(), broken_.end())}});
    return ok;
  }
  out_ << passed_ << " of " << played_ << " scenarios passed";
  if (!ok) out_ << "; rules broken: " << absl::StrJoin(broken_, ", ");
  out_ << "\n" << std::flush;
  return ok;
}

void TellScenarios(std::ostream& out, bool json) {
  if (json) {
    for (const Scenario& scenario : AllScenarios()) {
      PrintLine(out, {{"scenario", scenario.name}, {"title", scenario.title}, {"rules", RuleNames(scenario)}});
    }
    for (const Rule& rule : Rules()) {
      PrintLine(
          out,
          {{"rule", std::string(rule.name)}, {"section", std::string(rule.section)}, {"text", std::string(rule.text)}});
    }
    return;
  }
  for (const Scenario& scenario : AllScenarios()) out << scenario.name << ": " << scenario.title << "\n";
}

}  // namespace caresync::cli::check
