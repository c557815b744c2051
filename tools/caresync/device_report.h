// Tells a person, or a machine, how a sync goes: a line or a JSON object for each thing that happens, and a last one
// with the facts.
#ifndef CARESYNC_TOOLS_CARESYNC_DEVICE_REPORT_H_
#define CARESYNC_TOOLS_CARESYNC_DEVICE_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "caresync/v1/device_sync.pb.h"
#include "tools/caresync/device_view.h"
#include "tools/caresync/output.h"

namespace caresync::cli {

// Of one sync. Not thread-safe.
class DeviceReport {
 public:
  DeviceReport(bool json, v1::SyncType type) : json_(json), type_(type), bar_(!json) {}

  void Tell(const v1::SyncResponse& response);
  // The visits that were added, changed and removed.
  void TellChanges(const DeviceView& before, const DeviceView& after, absl::TimeZone zone);
  // The last line; where the sync failed, what to do comes before it. `held` is what the device holds; nullopt where
  // that was not read, and so no number is told of it.
  void TellEnd(const absl::Status& status, const std::optional<DeviceView>& held);

 private:
  void TellStarted(const v1::Started& started);
  // How large a clean sync is going to be; a warning where that is much.
  void TellEstimate(const v1::Started& started);
  void TellUploadResult(const v1::UploadResult& result);
  void TellRebuild(const v1::Rebuild& rebuild);
  void TellBatch(const v1::Changes& changes);
  void TellVisit(const std::string& what, const DeviceView& view, const VisitView& visit, absl::TimeZone zone);
  void TellNotice(const v1::Notice& notice);
  void TellFailure(const absl::Status& status);

  const bool json_;
  const v1::SyncType type_;
  ProgressBar bar_;
  std::string session_id_;
  uint64_t estimated_records_ = 0;
  uint64_t batches_ = 0;
  uint64_t payload_bytes_ = 0;
  uint64_t accepted_ = 0;
  uint64_t for_review_ = 0;
};

}  // namespace caresync::cli

#endif  // CARESYNC_TOOLS_CARESYNC_DEVICE_REPORT_H_
