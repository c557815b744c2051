#include "server/notifications/hours.h"

#include <algorithm>
#include <cstdint>
#include <vector>

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

// From one moment on until before another.
struct Stretch {
  absl::Time from;
  absl::Time to;
};

// Those of the days from `first` to `last`.
std::vector<Stretch> StretchesOf(const store::NotificationSettings& settings, absl::TimeZone zone, absl::CivilDay first,
                                 absl::CivilDay last) {
  std::vector<Stretch> stretches;
  for (absl::CivilDay day = first; day <= last; ++day) {
    for (const store::NotificationHours& hours : settings.hours()) {
      if (hours.weekday() != WeekdayOf(day)) continue;
      const absl::Time from = Opening(MinuteOf(day, hours.from_minute()), zone);
      const absl::Time to = Closing(MinuteOf(day, hours.to_minute()), zone);
      if (from < to) stretches.push_back({from, to});
    }
  }
  return stretches;
}

}  // namespace

absl::Time NextOpen(const store::NotificationSettings& settings, absl::TimeZone zone, absl::Time now) {
  if (settings.hours().empty()) return now;
  absl::Time next = absl::InfiniteFuture();
  const absl::CivilDay today = absl::ToCivilDay(now, zone);
  // Yesterday's may last until now where midnight is shown twice.
  for (const Stretch& stretch : StretchesOf(settings, zone, today - 1, today + kDaysAhead)) {
    if (now < stretch.to) next = std::min(next, std::max(stretch.from, now));
  }
  return next;
}

absl::Time OpenUntil(const store::NotificationSettings& settings, absl::TimeZone zone, absl::Time now) {
  if (settings.hours().empty()) return absl::InfiniteFuture();
  const absl::CivilDay today = absl::ToCivilDay(now, zone);
  const std::vector<Stretch> stretches = StretchesOf(settings, zone, today - 1, today + 1);
  absl::Time until = now;
  // What is set of them is in no order, and may overlap.
  for (bool goes_on = true; goes_on;) {
    goes_on = false;
    for (const Stretch& stretch : stretches) {
      if (stretch.from > until || stretch.to <= until) continue;
      until = stretch.to;
      goes_on = true;
    }
  }
  return until;
}

}  // namespace caresync::notifications
