// The rules of docs/protocol.md that a client can break, by name.
//
// Pure functions; safe from any thread.
#ifndef CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_RULES_H_
#define CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_RULES_H_

#include <span>
#include <string_view>

namespace caresync::cli::check {

struct Rule {
  // Stable, such as COUNT_AND_SUM.
  std::string_view name;
  // The heading in docs/protocol.md under which it stands.
  std::string_view section;
  // What a client does, in one sentence.
  std::string_view text;
};

// All of them, in the order of the document.
std::span<const Rule> Rules();
// nullptr: there is no such rule.
const Rule* FindRule(std::string_view name);
// One that the code names itself. Dies where there is none.
const Rule& RuleNamed(std::string_view name);

}  // namespace caresync::cli::check

#endif  // CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_RULES_H_
