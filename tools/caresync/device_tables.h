// Devices and their syncs as tables, for people.
#ifndef CARESYNC_TOOLS_CARESYNC_DEVICE_TABLES_H_
#define CARESYNC_TOOLS_CARESYNC_DEVICE_TABLES_H_

#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "caresync/v1/devices.pb.h"

namespace caresync::cli {

// All write to the standard output, in colour where that is a terminal, and times as they are in `zone`.

// The user device relationship report.
void PrintDevices(const std::vector<v1::Device>& devices, absl::TimeZone zone);
// One device, with its users and whether copies that it should not hold are dropped.
void PrintDevice(const v1::Device& device, absl::TimeZone zone);
// Of which a list of syncs is; each of its rows names the other.
enum class SyncsOf { kDevice, kCarer };
// `carer_names`: by record ID, those that are known; any other carer is named by the ID.
void PrintSyncs(const std::vector<v1::SyncSummary>& syncs, SyncsOf of,
                const std::map<std::string, std::string>& carer_names, absl::TimeZone zone);

}  // namespace caresync::cli

#endif  // CARESYNC_TOOLS_CARESYNC_DEVICE_TABLES_H_
