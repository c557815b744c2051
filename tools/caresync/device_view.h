// What a device shows its carer: the visits of the copy in use with what belongs to them. While none is in use, the
// carer's next visits, where they came.
#ifndef CARESYNC_TOOLS_CARESYNC_DEVICE_VIEW_H_
#define CARESYNC_TOOLS_CARESYNC_DEVICE_VIEW_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "caresync/v1/records.pb.h"
#include "nlohmann/json.hpp"
#include "tools/caresync/device_store.h"

namespace caresync::cli {

struct VisitView {
  std::string id;
  // As received; two versions of a visit differ in it.
  std::string payload;
  v1::Visit visit;
  // Default values where the copy holds none of this ID.
  v1::ServiceUser service_user;
  // The earliest and the latest of the assignments.
  absl::Time start;
  absl::Time end;
  // What the device's own carer recorded: planned, started or finished.
  std::string status = "planned";
  size_t notes = 0;
};

struct DeviceView {
  // By start, then ID.
  std::vector<VisitView> visits;
  // By record ID.
  std::map<std::string, v1::Carer> carers;
  size_t records = 0;
  size_t unsent_events = 0;
  // 0 where nothing was ever complete.
  uint64_t revision = 0;
  // The device has had no complete copy yet: that there are no visits says nothing.
  bool never_synced = false;
  // Only the next visits are shown: the rest is still to come.
  bool incomplete = false;
  std::string open_visit_id;
  // As the server said: auto syncs do not replace one.
  std::optional<absl::Time> manual_sync_due_since;
};

// Errors: those of the store.
absl::StatusOr<DeviceView> ReadDeviceView(const DeviceStore& store, const std::string& carer_id);

// The carer's name, or its ID where the device does not hold the carer.
std::string CarerName(const DeviceView& view, const std::string& carer_id);
// The visit with this ID or the only one whose ID begins so. Errors: VISIT_NOT_HELD, VISIT_AMBIGUOUS.
absl::StatusOr<VisitView> FindVisit(const DeviceView& view, const std::string& text);

nlohmann::ordered_json VisitJson(const DeviceView& view, const VisitView& visit);

// What a sync changed.
struct ViewChanges {
  std::vector<VisitView> added;
  std::vector<VisitView> changed;
  std::vector<VisitView> removed;
};
ViewChanges Compare(const DeviceView& before, const DeviceView& after);

}  // namespace caresync::cli

#endif  // CARESYNC_TOOLS_CARESYNC_DEVICE_VIEW_H_
