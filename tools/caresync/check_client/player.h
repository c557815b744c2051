// Plays one scenario against a device, and says which rules it broke.
#ifndef CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_PLAYER_H_
#define CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_PLAYER_H_

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/limits.h"
#include "tools/caresync/check_client/copies.h"
#include "tools/caresync/check_client/driver.h"
#include "tools/caresync/check_client/event_ledger.h"
#include "tools/caresync/check_client/finding.h"
#include "tools/caresync/check_client/inbox.h"
#include "tools/caresync/check_client/made_records.h"
#include "tools/caresync/check_client/scenario.h"
#include "tools/caresync/check_client/stream_state.h"

namespace caresync::cli::check {

struct Stage {
  Inbox& inbox;
  Driver& driver;
  // For each thing that the device is waited for.
  absl::Duration timeout;
  // What the app keeps: kinds above it are not sent.
  uint32_t level = base::limits::kDataLevel;
};

// One scenario, once. Used by one thread.
class Player {
 public:
  // All must outlive it.
  Player(const Scenario& scenario, const Stage& stage);

  // Empty: the device kept every rule that the scenario shows. Says nothing where the inbox was stopped meanwhile.
  // Errors: those of the driver.
  absl::StatusOr<Findings> Play();

 private:
  // ---- Lines. False: the scenario cannot go on.
  bool Do(const Records& records);
  bool Do(const Starts& starts);
  bool Do(const Uploads& uploads);
  bool Do(const SendsAgain& sends);
  bool Do(const Gets& gets);
  bool Do(const Acks& acks);
  bool Do(const IsTold& told);
  bool Do(const CutOff& cut);
  bool Do(const Killed& killed);
  bool EndStream(const grpc::Status& ending);

  // ---- Starting
  // False: no stream with a `start` came. Where one without it is open, it stays.
  bool OpenStream(const Starts& starts);
  bool AwaitStart(absl::Time until);
  bool BeginAgain(const Step& step);
  bool CheckStart(const Starts& starts, const v1::Start& start);
  void CheckStartFields(const Starts& starts, const v1::Start& start);
  void CheckUnsent(const Starts& starts, size_t declared);
  void CheckHolds(const v1::Start& start);
  bool CheckToken(const Starts& starts, const std::string& token);
  std::string ShownToken(const std::string& token) const;

  // ---- Messages of the server
  void Put(const StartedItem& item, v1::SyncResponse& response);
  void Put(const ResultsItem& item, v1::SyncResponse& response);
  void Put(const RebuildItem& item, v1::SyncResponse& response);
  void Put(const ChangesItem& item, v1::SyncResponse& response);
  void Put(const CaughtUpItem& item, v1::SyncResponse& response);
  void Put(const SyncRecordedItem& item, v1::SyncResponse& response);
  void Put(const NoticeItem& item, v1::SyncResponse& response);
  void Put(const UnknownItem& item, v1::SyncResponse& response);
  void AnswerUpload(const ResultsItem& item, v1::SyncResponse& response);
  // Not above the app's data level.
  bool IsKept(const std::string& record) const;
  v1::Upsert UpsertOf(const RecordRef& record) const;
  RecordName NameOf(const std::string& record) const;
  const std::string& NewToken(const std::string& name);
  void DropCopies(const std::vector<std::string>& carers);

  // ---- Acks
  bool CheckSum(const Rule& rule, const v1::Ack& ack);
  // That of the line, else the one named; where the line is about dropped copies, its rule is theirs alone.
  const Rule& RuleOfAck(const Acks& acks, std::string_view name) const;

  // ---- Waiting
  // Until `done`, or the device left, or `until`.
  template <typename Done>
  bool WaitUntil(absl::Time until, Done done);
  void Take(const Arrival& arrival);
  // A stream that the scenario has no place for.
  void TakeUnasked(const Arrival& opened);
  // The step has ended, or was made to.
  void EndStep();
  absl::Status BeginStep(const Step& step);
  absl::Time Deadline() const { return absl::Now() + stage_.timeout; }
  // The device did not do what it was waited for.
  bool NotSeen(const Rule& rule, const std::string& expected);
  bool Fail(const Rule& rule, const std::string& expected, const std::string& seen);
  void Add(Findings findings);
  // That of the line, else the one named.
  const Rule& RuleOr(std::string_view name) const;
  bool SkipToNextStep();

  Copies& CopiesOf(const std::string& carer_id) { return copies_[carer_id]; }

  const Scenario& scenario_;
  const Stage stage_;
  const std::string device_uuid_;
  const RecordMaker records_;
  EventLedger ledger_;
  std::map<std::string, Copies> copies_;
  // Tokens by name, and what they are of.
  std::map<std::string, std::string> tokens_;
  std::map<std::string, std::string> token_carers_;
  std::set<std::string> caught_up_tokens_;
  uint64_t rebuilds_ = 0;
  uint64_t revision_ = 0;

  const Line* line_ = nullptr;
  size_t next_line_ = 0;
  std::optional<StreamState> stream_;
  // The carer whose start is waited for.
  std::string awaited_carer_;
  bool step_running_ = false;
  std::string step_ended_;
  absl::Time opened_ = absl::InfinitePast();
  std::optional<absl::Time> not_before_;
  // Of `going_away`.
  std::optional<absl::Duration> reconnect_after_;
  // Of the last stream that was ended with one.
  std::string last_reason_;
  absl::Status driver_failed_;
  Findings findings_;
};

template <typename Done>
bool Player::WaitUntil(absl::Time until, Done done) {
  while (!done()) {
    if (stream_ && stream_->left()) return false;
    const std::optional<Arrival> arrival = stage_.inbox.Pop(until);
    if (!arrival) return false;
    Take(*arrival);
  }
  return true;
}

}  // namespace caresync::cli::check

#endif  // CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_PLAYER_H_
