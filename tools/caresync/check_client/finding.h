// A rule that a client broke, and how that showed.
#ifndef CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_FINDING_H_
#define CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_FINDING_H_

#include <string>
#include <vector>

#include "tools/caresync/check_client/rules.h"

namespace caresync::cli::check {

struct Finding {
  const Rule* rule = nullptr;
  std::string expected;
  std::string seen;
  // Of the scenario's file, and its text. Set by the player.
  int line = 0;
  std::string line_text;
};

using Findings = std::vector<Finding>;

}  // namespace caresync::cli::check

#endif  // CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_FINDING_H_
