#include "server/notifications/hours.h"

#include <algorithm>
#include <cstdint>

#include "absl/time/civil_time.h"

namespace caresync::notifications {
namespace {

// Hours that a clock skips come again a week later.
constexpr int kDaysAhead = 15;

v1::Weekday WeekdayOf(absl::CivilDay day) {
  // absl counts from Monday, 0, to Sunday, 6.
  return static_cast<v1::Weekday>(static_cast<int>(absl::GetWeekday(day)) + v1::WEEKDAY_MONDAY);
}

absl::CivilMinute MinuteOf(absl::CivilDay day, int32_t minute) { return absl::CivilMinute(day) + minute; }

absl::Time Opening(absl::CivilMinute minute, absl::TimeZone zone) {
  const absl::TimeZone::TimeInfo info = zone.At(absl::CivilSecond(minute));
  return info.kind == absl::TimeZone::TimeInfo::SKIPPED ? info.trans : info.pre;
}

absl::Time Closing(absl::CivilMinute minute, absl::TimeZone zone) {
  const absl::TimeZone::TimeInfo info = zone.At(absl::CivilSecond(minute));
  return info.kind == absl::TimeZone::TimeInfo::SKIPPED ? info.trans : info.post;
}

}  // namespace

absl::Time NextOpen(const store::NotificationSettings& settings, absl::TimeZone zone, absl::Time now) {
  if (settings.hours().empty()) return now;
  absl::Time next = absl::InfiniteFuture();
  const absl::CivilDay today = absl::ToCivilDay(now, zone);
  // Yesterday's may last until now where midnight is shown twice.
  for (absl::CivilDay day = today - 1; day <= today + kDaysAhead; ++day) {
    for (const store::NotificationHours& hours : settings.hours()) {
      if (hours.weekday() != WeekdayOf(day)) continue;
      const absl::Time from = Opening(MinuteOf(day, hours.from_minute()), zone);
      const absl::Time to = Closing(MinuteOf(day, hours.to_minute()), zone);
      if (from < to && now < to) next = std::min(next, std::max(from, now));
    }
  }
  return next;
}

}  // namespace caresync::notifications
