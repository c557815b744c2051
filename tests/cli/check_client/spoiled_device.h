// The command line's own device in the test's process: right, right in another way, or with one fault of those that
// clients have.
#ifndef CARESYNC_TESTS_CLI_CHECK_CLIENT_SPOILED_DEVICE_H_
#define CARESYNC_TESTS_CLI_CHECK_CLIENT_SPOILED_DEVICE_H_

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "caresync/v1/device_sync.grpc.pb.h"
#include "grpcpp/grpcpp.h"
#include "storage/mutex.h"
#include "tests/cli/held_copy.h"
#include "tools/caresync/check_client/driver.h"
#include "tools/caresync/check_client/inbox.h"
#include "tools/caresync/device_client.h"
#include "tools/caresync/device_store.h"

namespace caresync::cli::check {

enum class Fault {
  kNone,
  // ---- Right in another way
  kAcksEveryTenthBatch,
  kNamesDropsInItsNextAck,
  kLosesTheLastResults,
  kWaitsForStarted,
  kReconnectsByRetryInfo,
  kLeavesADeadStream,
  kRefusesCleanSyncs,
  kKeepsNoCarePlans,
  // ---- Wrong
  kNoCredential,
  kSendsAnUploadFirst,
  kNamesAnotherType,
  kForgetsItsToken,
  kKeepsTokensAsText,
  kIgnoresTheUnfinishedCopy,
  kSharesTokens,
  kAcksBeforeItIsDurable,
  kNeverAcksBatches,
  kAcksWhatNeverCame,
  kLeavesOutItsSum,
  kAddsOneToItsSum,
  kSumsLittleEndian,
  kIgnoresRemovals,
  kKeepsWhatItHadOfARecord,
  kWritesPayloadsAnew,
  kDropsTheOldCopyFirst,
  kMixesOldAndNew,
  kLeavesEarly,
  kIgnoresTheTokenOfNothingNew,
  kLeavesAfterTheFirstRound,
  kKeepsARefusedToken,
  kDropsItsCopyWhenRefused,
  kIgnoresDrops,
  kSaysItDroppedAndDidNot,
  kHidesUnsentEvents,
  kDropsEventsWhenSent,
  kKeepsAnsweredEvents,
  kWritesEventsAnew,
  kMakesNewEventIds,
  kCountsFromZero,
  kUploadsBackwards,
  kUploadsTooMuch,
  kNeverSendsAgain,
  kSendsAgainFirst,
  kReconnectsAtOnce,
  kSaysALevelItDoesNotKeep,
  kHandlesOneFieldOfAMessage,
  kFallsOverUnknownFields,
  kGoesOnWithTheUnfinishedCopy,
  kFallsOverRemovals,
  kAddsOneToItsSumInStart,
  kCountsNextVisitsTwice,
  kAcksOneRound,
  kDropsEventsWithTheCopy,
  kInventsAToken,
  kOpensASecondStream,
  kStartsAgainWhenTakenOver,
  kMakesIdsThatAreNoUuids,
  kLeavesOutTheTime,
  kDeclaresNoEvents,
};

// Makes the device do the steps on a thread of its own.
class SpoiledDevice final : public Driver {
 public:
  SpoiledDevice(Fault fault, std::string address, Inbox& inbox);
  ~SpoiledDevice() override { EndScenario(); }

  absl::Status BeginScenario(const std::string& name, const std::string& device_uuid) override;
  absl::Status Begin(const Step& step) override;
  void Kill() override { Cancel(); }
  void Stop() override { Cancel(); }
  void EndScenario() override;
  std::string Output() const override { return ""; }
  bool by_hand() const override { return false; }

 private:
  using Stream = grpc::ClientReaderWriter<v1::SyncRequest, v1::SyncResponse>;

  bool Has(Fault fault) const { return fault_ == fault; }
  void Cancel();
  void Record(const Step& step);
  void Sync(const Step& step);
  // How the stream ended.
  grpc::Status RunStream(const Step& step);
  // Beside the one that is open.
  void RunAnotherStream();
  void Converse(const Step& step, Stream& stream, DeviceClient& client, std::vector<v1::SyncRequest> held_back);
  std::vector<v1::SyncRequest> Answer(const Step& step, DeviceClient& client, v1::SyncResponse& response);
  void AfterTheEnd(const Step& step, const grpc::Status& status);

  // What the fault makes of what the device would send, and of what it was sent.
  std::vector<v1::SyncRequest> SpoilBeginning(const Step& step, std::vector<v1::SyncRequest> requests);
  void SpoilStart(const Step& step, v1::Start& start);
  void SpoilUpload(v1::Upload& upload);
  bool SpoilAck(const Step& step, v1::Ack& ack);
  void SpoilChanges(const Step& step, v1::Changes& changes);
  void SpoilResponse(const Step& step, v1::SyncResponse& response);
  void SpoilDrops(v1::SyncResponse& response);
  void SpoilRebuild(v1::SyncResponse& response);
  void FallOver(const Step& step, const v1::SyncResponse& response);
  void HoldResults(v1::SyncResponse& response);
  void ForgetSent(const std::vector<v1::SyncRequest>& requests);
  void ForgetEvents(const std::vector<v1::UploadedEvent>& events);

  const Fault fault_;
  const std::string address_;
  Inbox& inbox_;
  std::unique_ptr<StateFolder> folder_;
  std::optional<DeviceStore> store_;
  std::string device_uuid_;
  // Of the carer who synced last.
  std::string last_token_;
  int streams_ = 0;
  // Carers that it says to have dropped.
  std::vector<std::string> not_dropped_;
  std::optional<v1::SyncResponse> not_applied_;
  // Not named to the server yet.
  std::vector<std::string> dropped_;
  std::optional<v1::UploadResult> held_results_;
  size_t batches_ = 0;
  bool recorded_ = false;
  // Of the copy being made, and of the one that a rebuild dropped.
  std::vector<v1::Upsert> made_;
  std::vector<v1::Upsert> unfinished_;
  v1::CopySum next_visits_;

  storage::Mutex mutex_;
  std::shared_ptr<grpc::ClientContext> context_ ABSL_GUARDED_BY(mutex_);
  std::atomic<bool> cancelled_ = false;
  std::thread thread_;
};

}  // namespace caresync::cli::check

#endif  // CARESYNC_TESTS_CLI_CHECK_CLIENT_SPOILED_DEVICE_H_
