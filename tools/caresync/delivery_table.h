// The delivery record, and what a device showed, as tables for people.
#ifndef CARESYNC_TOOLS_CARESYNC_DELIVERY_TABLE_H_
#define CARESYNC_TOOLS_CARESYNC_DELIVERY_TABLE_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "caresync/v1/deliveries.pb.h"
#include "tools/caresync/output.h"

namespace caresync::cli {

// A line for each change and device, in the order given; one for a change whose carer has no device. Why changes were
// late is a column where one was.
std::string DeliveryTable(const std::vector<v1::Delivery>& deliveries, absl::TimeZone zone, const Look& look);

// What is known of the device's copy of the carer, in a sentence, and the visits that it showed. `view` has those of
// all pages.
std::string DeviceViewText(const v1::GetDeviceViewResponse& view, const std::string& carer, absl::TimeZone zone,
                           const Look& look);

}  // namespace caresync::cli

#endif  // CARESYNC_TOOLS_CARESYNC_DELIVERY_TABLE_H_
