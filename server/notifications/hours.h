// The hours in which a branch's people are told. Pure functions.
#ifndef CARESYNC_SERVER_NOTIFICATIONS_HOURS_H_
#define CARESYNC_SERVER_NOTIFICATIONS_HOURS_H_

#include "absl/time/time.h"
#include "caresync/store/notification.pb.h"

namespace caresync::notifications {

// The first time from `now` on that lies in the hours of `settings`, by the clock of `zone`: `now` itself where it
// does, or where there are no hours, which is at any time. What the zone's clock shows twice opens hours the first time
// and closes them the second; what it skips is the moment at which it skips. InfiniteFuture where no hours come within
// two weeks, which those that settings.h takes always do.
absl::Time NextOpen(const store::NotificationSettings& settings, absl::TimeZone zone, absl::Time now);

// Until when hours last that `now` lies in, those that follow without a pause included, but no further than tomorrow's;
// `now` where it lies in none, InfiniteFuture where there are no hours.
absl::Time OpenUntil(const store::NotificationSettings& settings, absl::TimeZone zone, absl::Time now);

}  // namespace caresync::notifications

#endif  // CARESYNC_SERVER_NOTIFICATIONS_HOURS_H_
