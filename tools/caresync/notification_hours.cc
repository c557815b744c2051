#include "tools/caresync/notification_hours.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "tools/caresync/errors.h"

namespace caresync::cli {
namespace {

constexpr int kDays = 7;
constexpr std::array<const char*, kDays> kNames = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
constexpr int32_t kMinutesOfHour = 60;

// 0 is Monday.
std::optional<int> DayOf(const std::string& text) {
  const auto* const found = std::find(kNames.begin(), kNames.end(), absl::AsciiStrToLower(text));
  if (found == kNames.end()) return std::nullopt;
  return static_cast<int>(found - kNames.begin());
}

std::optional<int32_t> MinuteOf(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, ':');
  int32_t hour = 0;
  int32_t minute = 0;
  if (parts.size() != 2 || parts[1].size() != 2 || !absl::SimpleAtoi(parts[0], &hour) ||
      !absl::SimpleAtoi(parts[1], &minute)) {
    return std::nullopt;
  }
  if (hour < 0 || hour > 24 || minute < 0 || minute >= kMinutesOfHour) return std::nullopt;
  return hour * kMinutesOfHour + minute;
}

std::string MinuteText(int32_t minute) {
  return absl::StrFormat("%02d:%02d", minute / kMinutesOfHour, minute % kMinutesOfHour);
}

// The two sides of a dash; the same twice where there is none.
std::pair<std::string, std::string> Sides(const std::string& text) {
  const size_t dash = text.find('-');
  if (dash == std::string::npos) return {text, text};
  return {text.substr(0, dash), text.substr(dash + 1)};
}

std::string DaysText(int first, int last) {
  return first == last ? std::string(kNames[static_cast<size_t>(first)])
                       : absl::StrCat(kNames[static_cast<size_t>(first)], "-", kNames[static_cast<size_t>(last)]);
}

}  // namespace

absl::StatusOr<std::vector<v1::NotificationHours>> ParseHours(const std::string& text) {
  const std::vector<std::string> words = absl::StrSplit(text, ' ', absl::SkipEmpty());
  const absl::Status wrong = errors::Usage(absl::StrCat(
      "--hours \"", text, "\": give days and hours such as \"mon-fri 08:00-18:00\" or \"sat 9:00-24:00\""));
  if (words.size() != 2) return wrong;
  const auto [first, last] = Sides(words[0]);
  const auto [from, to] = Sides(words[1]);
  const std::optional<int> first_day = DayOf(first);
  const std::optional<int> last_day = DayOf(last);
  const std::optional<int32_t> from_minute = MinuteOf(from);
  const std::optional<int32_t> to_minute = MinuteOf(to);
  if (!first_day || !last_day || !from_minute || !to_minute) return wrong;
  if (*to_minute <= *from_minute) {
    return errors::Usage(absl::StrCat("--hours \"", text,
                                      "\": they end before they begin; over midnight give two, such as \"fri "
                                      "20:00-24:00\" and \"sat 0:00-06:00\""));
  }
  std::vector<v1::NotificationHours> hours;
  const int days = (*last_day - *first_day + kDays) % kDays + 1;
  for (int i = 0; i < days; ++i) {
    v1::NotificationHours& of_day = hours.emplace_back();
    of_day.set_weekday(static_cast<v1::Weekday>((*first_day + i) % kDays + v1::WEEKDAY_MONDAY));
    of_day.set_from_minute(*from_minute);
    of_day.set_to_minute(*to_minute);
  }
  return hours;
}

std::string HoursText(const v1::NotificationSettings& settings) {
  if (settings.hours().empty()) return "always";
  // The hours of each day, as text.
  std::map<int, std::string> of_day;
  for (const v1::NotificationHours& hours : settings.hours()) {
    std::string& text = of_day[static_cast<int>(hours.weekday()) - v1::WEEKDAY_MONDAY];
    absl::StrAppend(&text, text.empty() ? "" : " ", MinuteText(hours.from_minute()), "-",
                    MinuteText(hours.to_minute()));
  }
  std::vector<std::string> lines;
  for (auto first = of_day.begin(); first != of_day.end();) {
    auto last = first;
    auto next = std::next(first);
    while (next != of_day.end() && next->first == last->first + 1 && next->second == first->second) last = next++;
    const bool is_day = first->first >= 0 && last->first < kDays;
    lines.push_back(absl::StrCat(is_day ? DaysText(first->first, last->first) : "?", " ", first->second));
    first = next;
  }
  return absl::StrJoin(lines, ", ");
}

}  // namespace caresync::cli
