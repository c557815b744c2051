// Hours of the week as people write them: "mon-fri 08:00-18:00". Pure functions.
#ifndef CARESYNC_TOOLS_CARESYNC_NOTIFICATION_HOURS_H_
#define CARESYNC_TOOLS_CARESYNC_NOTIFICATION_HOURS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "caresync/v1/tenants.pb.h"

namespace caresync::cli {

// "DAY HH:MM-HH:MM" or "DAY-DAY HH:MM-HH:MM", the end up to 24:00: one entry for each day. Days that end before they
// begin go over Sunday ("sat-mon"). What is wrong with hours that can be written so, the server says. Errors: USAGE.
absl::StatusOr<std::vector<v1::NotificationHours>> ParseHours(const std::string& text);

// The same the other way round, days with equal hours that follow each other as one: "mon-fri 08:00-18:00, sat
// 09:00-12:00". "always" for none.
std::string HoursText(const v1::NotificationSettings& settings);

}  // namespace caresync::cli

#endif  // CARESYNC_TOOLS_CARESYNC_NOTIFICATION_HOURS_H_
