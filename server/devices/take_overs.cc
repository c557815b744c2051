#include "server/devices/take_overs.h"

#include <algorithm>

#include "server/base/clock.h"

namespace caresync::devices {
namespace {

// The hour of limits::kTakeOversInAnHour.
constexpr absl::Duration kSeen = absl::Hours(1);

}  // namespace

void NoteTakeOver(store::DeviceReport& report, absl::Time now, size_t most) {
  const int64_t now_us = base::ToStoredTime(now);
  const int64_t since_us = base::ToStoredTime(now - kSeen);
  auto& times = *report.mutable_take_over_times_us();
  // A clock that was set back must not leave times that never pass.
  times.erase(
      std::remove_if(times.begin(), times.end(), [&](int64_t time) { return time <= since_us || time > now_us; }),
      times.end());
  times.Add(now_us);
  const int too_many = times.size() - static_cast<int>(most) - 1;
  if (too_many > 0) times.erase(times.begin(), times.begin() + too_many);
}

bool IsCloned(const DeviceRows& rows, bool displaced, absl::Time now, size_t most) {
  if (rows.device.has_value() && rows.device->cloned()) return true;
  if (!displaced || !rows.report.has_value()) return false;
  const int64_t cleared_us = rows.device.has_value() ? rows.device->clone_cleared_us() : 0;
  // Cleared ahead of now: the clock was wrong then, and two phones must not go unseen until it comes there again.
  const bool misdated = cleared_us > base::ToStoredTime(now);
  const int64_t since_us = std::max(base::ToStoredTime(now - kSeen), misdated ? 0 : cleared_us);
  const auto& times = rows.report->take_over_times_us();
  const auto before = std::count_if(times.begin(), times.end(),
                                    [&](int64_t time) { return time > since_us && time <= base::ToStoredTime(now); });
  return static_cast<size_t>(before) + 1 > most;
}

}  // namespace caresync::devices
