#include "server/mismatch/wording.h"

#include <string_view>

#include "absl/strings/str_cat.h"

namespace caresync::mismatch {
namespace {

// Names may be gone with their records, and devices need not have one.
std::string CarerText(const v1::Mismatch& mismatch) {
  return mismatch.carer_name().empty() ? absl::StrCat("carer ", mismatch.carer_id()) : mismatch.carer_name();
}

std::string DeviceText(const v1::MismatchDevice& device) {
  return device.device_name().empty() ? absl::StrCat("device ", device.device_uuid()) : device.device_name();
}

}  // namespace

std::string Headline(const v1::Mismatch& mismatch) {
  const std::string carer = CarerText(mismatch);
  if (mismatch.resolution() == v1::MISMATCH_RESOLUTION_STARTED) {
    return absl::StrCat("The rota changed and ", carer, " has been at the visit.");
  }
  if (!mismatch.has_device()) return absl::StrCat("The rota changed and ", carer, " has not signed in on any device.");
  const std::string device = DeviceText(mismatch.device());
  if (mismatch.state() == v1::MISMATCH_STATE_RESOLVED) {
    return absl::StrCat("The rota changed and ", carer, " has synced ", device, " since.");
  }
  return absl::StrCat("The rota changed and ", carer, " has not synced ", device, " since.");
}

std::string Advice(const v1::Mismatch& mismatch) {
  const std::string carer = CarerText(mismatch);
  const bool is_over = mismatch.state() == v1::MISMATCH_STATE_RESOLVED || mismatch.state() == v1::MISMATCH_STATE_CLOSED;
  if (is_over) return "";
  if (!mismatch.has_device()) return absl::StrCat("Tell ", carer, " by phone, and see that a device is signed in.");
  return absl::StrCat("Ask ", carer, " for a manual sync, with the app open and the screen on.");
}

}  // namespace caresync::mismatch
