// One row of the user device relationship report: what the device's rows and the tenant's records say, for people.
#ifndef CARESYNC_SERVER_DEVICES_REPORT_ROW_H_
#define CARESYNC_SERVER_DEVICES_REPORT_ROW_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "caresync/store/stored.pb.h"
#include "caresync/v1/devices.pb.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "server/devices/copy_facts.h"
#include "server/devices/device_rows.h"
#include "server/devices/device_state.h"
#include "server/devices/names.h"
#include "server/devices/syncs_under_way.h"
#include "storage/store.h"

namespace caresync::devices {

// At which moment a report is made.
struct AsOf {
  // Which calls are under way.
  SyncsUnderWay syncs;
  absl::Time now;
};

// The device's carers: the users that administrators set, then others who hold a copy or whose copy it is to drop.
std::vector<std::string> CarersOf(const DeviceRows& rows);

// Sets a call that was under way and is over to failed. Errors are those of reading.
absl::Status FailCallThatIsOver(const SyncsUnderWay& syncs, const base::TenantId& tenant, const base::Uuid& device,
                                DeviceRows& rows);

// Makes rows for one request and one thread. What is given to the constructor must outlive it. Errors are those of
// reading. Every DeviceRows has its device row.
class ReportRows {
 public:
  ReportRows(const storage::Reader& reader, const base::TenantId& tenant, const store::Tenant& preferences,
             const AsOf& as_of);

  Names& names() { return names_; }
  // The state alone, at less cost than a row: changes that wait are not counted.
  absl::StatusOr<v1::DeviceState> StateOf(const DeviceRows& rows);
  absl::StatusOr<v1::Device> RowOf(const base::Uuid& uuid, const DeviceRows& rows);

 private:
  // The users' standings, and what is told of each beside.
  struct User {
    UserStanding standing;
    uint64_t behind_by = 0;
    std::optional<absl::Time> manual_due_since;
  };
  absl::StatusOr<std::vector<User>> UsersOf(const DeviceRows& rows, uint64_t most_counted);
  absl::Status AddCarer(const std::string& carer_id, const DeviceRows& rows, v1::Device& device);
  absl::Status AddDrop(const base::Uuid& carer, const DeviceRows& rows, v1::DeviceUser& user);

  const storage::Reader& reader_;
  const base::TenantId& tenant_;
  const store::Tenant& preferences_;
  const AsOf& as_of_;
  Names names_;
  CopyFactsReader facts_;
};

}  // namespace caresync::devices

#endif  // CARESYNC_SERVER_DEVICES_REPORT_ROW_H_
