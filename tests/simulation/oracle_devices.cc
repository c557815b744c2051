// What the oracle says of devices' rows: reports, what people said of the devices, and take-overs.
#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "server/base/keys.h"
#include "tests/simulation/oracle.h"
#include "tests/simulation/written_rows.h"

namespace caresync::simulation {
namespace {

namespace keys = base::keys;

bool IsHandedOver(const std::set<std::string>& before, const std::set<std::string>& after) {
  const bool none_left =
      std::none_of(before.begin(), before.end(), [&after](const std::string& carer) { return after.contains(carer); });
  return none_left && !before.empty() && !after.empty();
}

}  // namespace

// A take-over too many marks the device in the commit that counts it, nothing else does, and only the office takes the
// mark away.
void Oracle::CheckTakeOvers(const std::string& report_key, const base::TenantId& tenant, const base::Uuid& device,
                            const Rows& rows) {
  const auto row = WrittenIn<store::Device>(rows, keys::DeviceRow(tenant, device, keys::DevicePart::kDevice));
  const auto report = WrittenIn<store::DeviceReport>(rows, report_key);
  const bool was = truth_.permissions.IsCloned(tenant, device);
  const bool is = row.has_value() ? row->cloned() : was;
  bool one_too_many = false;
  if (report.has_value() && report->take_overs() != truth_.reports[report_key].take_overs()) {
    const int64_t now_us = report->take_over_times_us().empty() ? 0 : *report->take_over_times_us().rbegin();
    one_too_many = truth_.take_overs[report_key].Add(now_us, truth_.permissions.CloneClearedUs(tenant, device));
  }
  Expect(!is || was || one_too_many, "a device is marked as cloned, and its streams did not take each other over");
  Expect(is || !one_too_many || !truth_.permissions.IsKnown(tenant, device),
         "a device is not marked as cloned, though its streams take each other over");
  Expect(is || !was || !report.has_value(), "a device itself takes away that it is marked as cloned");
  if (is != was) on_count_(is ? "device marked as cloned" : "mark of a clone cleared");
}

void Oracle::CheckReports(const Rows& rows) {
  for (const auto& [key, row] : rows) {
    const auto known = report_keys_.find(key);
    if (known == report_keys_.end()) continue;
    store::DeviceReport report;
    Expect(row.has_value() && report.ParseFromString(*row), "a device's report row cannot be read");
    store::DeviceReport& before = truth_.reports[key];
    CheckDivergenceRebuilds(before, report);
    before = report;
  }
}

// At most one a day a device, whichever carer's copy it is; one that was never finished does not count.
void Oracle::CheckDivergenceRebuilds(const store::DeviceReport& before, const store::DeviceReport& report) {
  std::map<std::string, int64_t> known;
  for (const store::DeviceCopy& old : before.copies()) known[old.carer_id()] = old.last_divergence_rebuild_us();
  for (const store::DeviceCopy& copy : report.copies()) {
    const int64_t made_us = copy.last_divergence_rebuild_us();
    if (made_us == known[copy.carer_id()]) continue;
    for (const store::DeviceCopy& old : before.copies()) {
      const int64_t last_us = old.last_divergence_rebuild_us();
      const bool unfinished = old.rebuild_number() > old.in_use_number();
      constexpr int64_t kDayUs = int64_t{24} * 3600 * 1'000'000;
      const bool clock_was_ahead = last_us > made_us;
      Expect(last_us == 0 || unfinished || clock_was_ahead || made_us - last_us >= kDayUs,
             "a device makes copies anew for their divergence twice in a day");
    }
  }
}

void Oracle::TakeDevices(const Rows& rows) {
  for (const auto& [key, row] : rows) {
    const auto known = device_keys_.find(key);
    if (known == device_keys_.end()) continue;
    const auto& [tenant, device] = known->second;
    store::Device stored;
    Expect(row.has_value() && stored.ParseFromString(*row), "a device's row cannot be read");
    const std::set<std::string> before = truth_.permissions.UsersOf(tenant, device);
    truth_.permissions.Take(tenant, device, model(tenant).head().revision, stored);
    if (IsHandedOver(before, truth_.permissions.UsersOf(tenant, device))) on_count_("device handed over");
  }
}

}  // namespace caresync::simulation
