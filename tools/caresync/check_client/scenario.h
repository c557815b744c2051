// A dialogue to be played against a client, as text in the words of tests/spec/: there the device is played and the
// server is looked at, here it is the other way round. README.md in scenarios/ lists the lines.
//
//   ## first_copy: A new install gets its first copy.
//   d1 of c1 starts STANDARD with token none
//   d1 gets: started, rebuild NEW_COPY, changes +c1 +p1 +v1 as t1
//   d1 acks t1                                           [CHANGES_ACKED]
//
// The rule in brackets is the one that is broken where the device does not do what the line says.
//
// Values and pure functions; safe from any thread.
#ifndef CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_SCENARIO_H_
#define CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_SCENARIO_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "caresync/v1/device_sync.pb.h"
#include "tools/caresync/check_client/rules.h"

namespace caresync::cli::check {

// A record by its name, such as v1, and the version of it that is sent.
struct RecordRef {
  std::string name;
  // Empty: the first.
  std::string version;
};

// ---- Parts of a message of the server

struct StartedItem {
  bool waiting = false;
  bool resend_events = false;
  std::vector<std::string> drop;
};
struct ResultsItem {
  struct Result {
    v1::EventOutcome outcome = v1::EVENT_OUTCOME_ACCEPTED;
    v1::ReviewReason reason = v1::REVIEW_REASON_UNSPECIFIED;
  };
  // By event; the others are accepted.
  std::map<std::string, Result> of;
  // Answers the first upload only, of those that wait for an answer.
  bool first_upload = false;
};
struct RebuildItem {
  v1::RebuildReason reason = v1::REBUILD_REASON_UNSPECIFIED;
};
struct ChangesItem {
  std::vector<RecordRef> upserts;
  std::vector<std::string> removals;
  std::string token;
  bool next_visits = false;
};
struct CaughtUpItem {
  std::string token;
};
struct SyncRecordedItem {};
struct NoticeItem {
  v1::Notice notice;
  // Of `drop_now`.
  std::vector<std::string> drop;
};
// Fields that no app knows yet.
struct UnknownItem {};
using Item = std::variant<StartedItem, ResultsItem, RebuildItem, ChangesItem, CaughtUpItem, SyncRecordedItem,
                          NoticeItem, UnknownItem>;

// ---- Lines

struct Records {
  std::string carer;
  std::vector<std::string> events;
  std::string visit;
};
struct Starts {
  std::string carer;
  v1::SyncType type = v1::SYNC_TYPE_UNSPECIFIED;
  // Any of these; "none" is the empty one.
  std::vector<std::string> tokens;
  bool follow = false;
  // Not given: that of the app.
  std::optional<uint32_t> level;
  // The device may start by itself, in the run before; else it is made to.
  bool again = false;
  // The device may also refuse to: what follows up to the next start, or what is to be done, is left out.
  bool or_refuses = false;
};
struct Uploads {
  std::vector<std::string> events;
  // As many as `start` declared, whichever: it is not known what the device has the result of.
  bool declared = false;
};
struct SendsAgain {
  // With `resend_complete` in the last upload.
  std::vector<std::string> events;
};
struct Gets {
  std::vector<Item> items;
};
struct Acks {
  // Empty: no token is waited for.
  std::string token;
  std::vector<std::string> dropped;
};
struct IsTold {
  // OK, or a reason.
  std::string reason;
};
struct CutOff {};
struct Killed {};
using Action = std::variant<Records, Starts, Uploads, SendsAgain, Gets, Acks, IsTold, CutOff, Killed>;

struct Line {
  int number = 0;
  // Without the rule.
  std::string text;
  // nullptr: the one that goes with such a line.
  const Rule* rule = nullptr;
  Action action;
};

struct Scenario {
  std::string name;
  // One sentence.
  std::string title;
  // The file's common lines first.
  std::vector<Line> lines;

  // Those that its lines name, each once.
  std::vector<const Rule*> RulesShown() const;
  // It names data levels itself: for an app that knows them all.
  bool NamesLevels() const;
};

// Errors: SCENARIO_NOT_VALID, with the file and the line.
absl::StatusOr<std::vector<Scenario>> ParseScenarios(const std::string& file, std::string_view text);

// Those that come with the command, by file. Dies where they are not valid: a test parses them.
const std::vector<Scenario>& AllScenarios();

}  // namespace caresync::cli::check

#endif  // CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_SCENARIO_H_
