// What a check came to, for people and for machines.
#ifndef CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_REPORT_H_
#define CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_REPORT_H_

#include <cstddef>
#include <ostream>
#include <set>
#include <string>

#include "nlohmann/json.hpp"
#include "tools/caresync/check_client/checker.h"

namespace caresync::cli::check {

class Report {
 public:
  // `out` must outlive it. `colours`: it is a terminal.
  Report(std::ostream& out, bool json, bool colours) : out_(out), json_(json), colours_(colours) {}

  void TellAddress(const std::string& address);
  void Tell(const Verdict& verdict);
  // The last lines. True: nothing was broken.
  bool TellEnd();

 private:
  std::ostream& out_;
  const bool json_;
  const bool colours_;
  size_t played_ = 0;
  size_t passed_ = 0;
  std::set<std::string> broken_;
};

// Every scenario with the rules that it shows, and every rule.
void TellScenarios(std::ostream& out, bool json);

}  // namespace caresync::cli::check

#endif  // CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_REPORT_H_
