// What must be so from line to line of a scenario, whatever the device does.
#ifndef CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_DIALOGUE_READER_H_
#define CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_DIALOGUE_READER_H_

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tools/caresync/check_client/scenario.h"

namespace caresync::cli::check {

// Reads one scenario. Not thread-safe.
class DialogueReader {
 public:
  // What is wrong with the line where it stands; empty: nothing.
  std::string Take(const Line& line);
  // A stream is open after the lines that were taken.
  bool open() const { return open_; }
  // One was opened.
  bool started() const { return started_; }

 private:
  // One carer's copies, by their records' names.
  struct Copies {
    std::optional<std::set<std::string>> in_use;
    std::optional<std::set<std::string>> making;
  };
  // Several where the device may have started with any of several tokens.
  using Possible = std::vector<Copies>;
  struct Held {
    // By carer.
    std::map<std::string, Possible> now;
    // What went with each token.
    std::map<std::string, Possible> after;
  };

  std::string Check(const Records& records);
  std::string Check(const Starts& starts);
  std::string Check(const Uploads& uploads);
  std::string Check(const SendsAgain& sends);
  std::string Check(const Gets& gets);
  std::string Check(const Acks& acks);
  std::string Check(const IsTold&) { return Close(); }
  std::string Check(const CutOff&) { return Close(); }
  std::string Check(const Killed&) { return Close(); }

  std::string CheckItem(const StartedItem& started);
  std::string CheckItem(const RebuildItem&);
  std::string CheckItem(const ChangesItem& changes);
  std::string CheckItem(const CaughtUpItem& caught_up);
  std::string CheckItem(const NoticeItem& notice);
  template <typename Other>
  std::string CheckItem(const Other&) {
    return "";
  }

  std::string Give(const std::string& token);
  std::string OpenAndRecorded(const std::vector<std::string>& events) const;
  std::string Close();
  // Where the device may have refused the sync before, what that one brought cannot be counted on.
  void ForgetWhatMayBeRefused();
  void Drop(const std::vector<std::string>& carers);
  Possible& Now() { return held_.now.try_emplace(carer_, 1).first->second; }
  // The record of which `name` says that it exists; "" where there is none, or `records` has it.
  std::string Missing(const std::string& name, const std::set<std::string>& records) const;

  bool open_ = false;
  bool started_ = false;
  // Of the stream that is open.
  std::string carer_;
  Held held_;
  std::optional<Held> before_refusal_;
  // The visit that each event was recorded on.
  std::map<std::string, std::string> events_;
};

}  // namespace caresync::cli::check

#endif  // CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_DIALOGUE_READER_H_
