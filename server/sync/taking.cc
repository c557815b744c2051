#include "server/sync/taking.h"

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "caresync/store/stored.pb.h"
#include "caresync/v1/records.pb.h"
#include "server/base/errors.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/devices/device_in_use.h"
#include "server/devices/device_rows.h"
#include "server/devices/drops.h"
#include "server/mismatch/damage.h"
#include "server/mismatch/look_again.h"
#include "server/mismatch/resolving.h"
#include "server/records/carer_signs.h"
#include "server/records/record_key.h"
#include "server/records/record_store.h"
#include "server/sync/start_check.h"

namespace caresync::sync {
namespace {

// It is known here for the first time, and the sender recorded it.
bool IsNewOfSender(const v1::EventResult& result) {
  if (result.outcome() == v1::EVENT_OUTCOME_KNOWN) return false;
  switch (result.review_reason()) {
    case v1::REVIEW_REASON_NOT_UNDERSTOOD:
    case v1::REVIEW_REASON_OTHER_CARER:
    case v1::REVIEW_REASON_EVENT_ID_REUSED:
      return false;
    default:
      return true;
  }
}

// Whether the carer may hold a copy on the device.
absl::StatusOr<bool> MayHoldCopy(const commit::Transaction& transaction, const records::EventSender& sender) {
  const base::TenantId& tenant = transaction.tenant();
  ASSIGN_OR_RETURN(const std::optional<store::Device> device, devices::ReadDevice(transaction, tenant, sender.device));
  ASSIGN_OR_RETURN(const bool left, devices::HasLeft(transaction, tenant, sender.carer));
  return WhyNotPermitted(device, sender.carer, left).ok();
}

absl::Status BringIntoUse(commit::Transaction& transaction, const records::EventSender& sender) {
  const base::TenantId& tenant = transaction.tenant();
  const auto row = devices::ReadDeviceInUse(transaction, tenant, sender.carer);
  ASSIGN_OR_RETURN(const std::optional<base::Uuid> in_use,
                   mismatch::UnlessDamaged(row, "device_in_use_not_known", tenant, sender.carer));
  if (in_use == sender.device) return absl::OkStatus();
  ASSIGN_OR_RETURN(const bool may_hold_copy, MayHoldCopy(transaction, sender));
  if (!may_hold_copy) return absl::OkStatus();
  storage::Write write = devices::DeviceInUseRow(tenant, sender.carer, sender.device, transaction.now());
  transaction.Put(write.space, std::move(write.key), *std::move(write.value));
  const bool replaced = in_use.has_value() || !row.ok();
  if (replaced) RETURN_IF_ERROR(mismatch::LookAgain(transaction, sender.carer));
  // It may hold what the other one lacks.
  return mismatch::ResolveSettled(transaction, sender.carer);
}

// What shows that the sender came to a visit resolves the mismatch of it.
absl::Status NoteSign(commit::Transaction& transaction, const records::EventSender& sender, const std::string& bytes) {
  v1::CareEvent event;
  if (!event.ParseFromString(bytes) || !records::IsSign(event)) return absl::OkStatus();
  const std::optional<records::RecordName> parent = records::ParentOf(event);
  const std::optional<absl::Time> occurred = base::FromTimestamp(event.occurred_time());
  if (!parent.has_value() || parent->kind != v1::RECORD_KIND_VISIT || !occurred.has_value()) return absl::OkStatus();
  return mismatch::NoteSign(transaction, {sender.carer, records::KeyOf(*parent)}, {*occurred, transaction.now()});
}

// What follows from an event is done where it can be: a row that is damaged keeps no care event away.
absl::Status UnlessDamaged(commit::Transaction& transaction, const records::EventSender& sender,
                           absl::FunctionRef<absl::Status()> follow) {
  const size_t mark = transaction.Mark();
  absl::Status followed = follow();
  if (!absl::IsDataLoss(followed)) return followed;
  transaction.RollBackTo(mark);
  mismatch::LogDamage("event_without_what_follows", transaction.tenant(), sender.carer, followed);
  return absl::OkStatus();
}

}  // namespace

absl::Status TakeEvents(commit::Transaction& transaction, const records::EventSender& sender, const v1::Upload& upload,
                        int first, v1::UploadResult& result) {
  result.mutable_results()->DeleteSubrange(first, result.results_size() - first);
  records::RecordStore records(transaction);
  bool any_new = false;
  for (int i = first; i < upload.events_size(); ++i) {
    const records::RecordStore::Mark mark = records.SetMark();
    absl::StatusOr<v1::EventResult> taken = records::TakeEvent(records, sender, upload.events(i));
    if (!taken.ok() && i > first && base::Reason(taken.status()) == base::Reason(base::errors::CommitTooLarge())) {
      records.RollBackTo(mark);
      break;
    }
    if (!taken.ok()) return taken.status();
    if (taken->outcome() != v1::EVENT_OUTCOME_KNOWN) {
      const bool reused = taken->review_reason() == v1::REVIEW_REASON_EVENT_ID_REUSED;
      RETURN_IF_ERROR(devices::CountEvent(transaction, sender.device, upload.events(i).sequence(),
                                          reused ? devices::NumberedEvent::kIdReused : devices::NumberedEvent::kNew));
    }
    if (IsNewOfSender(*taken)) {
      any_new = true;
      RETURN_IF_ERROR(
          UnlessDamaged(transaction, sender, [&] { return NoteSign(transaction, sender, upload.events(i).event()); }));
    }
    *result.add_results() = *std::move(taken);
  }
  if (!any_new) return absl::OkStatus();
  return UnlessDamaged(transaction, sender, [&] { return BringIntoUse(transaction, sender); });
}

}  // namespace caresync::sync
