// What happens to the phones of the simulated world themselves, beside what their syncs are about.
#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "tests/simulation/simulated_world.h"

namespace caresync::simulation {

void SimulatedWorld::BackUpPhone() {
  const size_t index = Below(devices_.size());
  if (HasOpenStream(index) || IsOfPair(devices_[index])) return;
  Count("phone backed up");
  phone_backups_.insert_or_assign(index, devices_[index]);
}

// A phone is set up from its own backup: it has an older copy again, and older events, some of which were answered.
void SimulatedWorld::PutPhoneBack() {
  if (phone_backups_.empty()) return;
  const auto backup = std::next(phone_backups_.begin(), static_cast<ptrdiff_t>(Below(phone_backups_.size())));
  const size_t index = backup->first;
  if (HasOpenStream(index) || IsOfPair(devices_[index])) return;
  Count("phone put back");
  const std::optional<absl::Duration> off_until = devices_[index].off_until;
  devices_[index] = backup->second;
  devices_[index].off_until = off_until;
  Device& device = devices_[index];
  for (const base::Uuid& carer : device.carers) {
    if (!device.app.of(carer).token.empty()) device.put_back.insert(carer);
  }
  ForgetAnswersOf(device);
}

// The app is installed anew: nothing is left on the phone but its UUID.
void SimulatedWorld::ReinstallApp() {
  const size_t index = Below(devices_.size());
  Device& device = devices_[index];
  if (HasOpenStream(index) || IsOfPair(device)) return;
  Count("app installed anew");
  const uint32_t level = device.app.data_level();
  device.app = fakes::TestDevice(device.app.uuid());
  device.app.ReplaceApp("5.1.0", level);
  device.offline.clear();
  device.kept.clear();
  device.spoiled.clear();
  device.put_back.clear();
  ForgetAnswersOf(device);
}

// No network: what is open breaks, and nothing is begun until it is back.
void SimulatedWorld::LoseNetworkForHours() {
  const size_t index = Below(devices_.size());
  Device& device = devices_[index];
  if (IsOff(device)) return;
  Count("phone off for hours");
  device.off_until = clock_.Monotonic() + absl::Minutes(60 + static_cast<int>(Below(300)));
  for (const auto& stream : streams_) {
    if (stream->device() != index || !stream->device_open()) continue;
    stream->CloseAtDevice();
    CutAtRandom(*stream);
  }
}

bool SimulatedWorld::IsOff(const Device& device) const {
  return device.off_until.has_value() && clock_.Monotonic() < *device.off_until;
}

// What the phone does not keep any more, nobody can send again after a restore of the store.
void SimulatedWorld::ForgetAnswersOf(const Device& device) {
  std::set<EventKey> kept;
  for (const auto& [carer, events] : device.kept) {
    for (const v1::UploadedEvent& event : events) kept.insert({event.event_id(), event.event()});
  }
  std::erase_if(answered_, [&](const Answered& answered) {
    if (answered.sender.tenant != device.tenant || answered.sender.device != device.app.uuid()) return false;
    return !kept.contains({answered.event.event_id(), answered.event.event()});
  });
}

}  // namespace caresync::simulation
