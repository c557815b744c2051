#include "server/devices/device_registry.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "caresync/store/stored.pb.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/base/uuid.h"
#include "server/records/record_key.h"
#include "server/records/record_store.h"

namespace caresync::devices {
namespace {

namespace errors = base::errors;
namespace limits = base::limits;

// The request, checked and in the form in which it is stored.
struct Wanted {
  base::Uuid device;
  // Set where they are to be changed.
  std::optional<std::string> branch;
  std::optional<std::vector<std::string>> carers;
  bool allow_missing = false;
};

absl::StatusOr<base::Uuid> ParseUuid(std::string_view field, const std::string& text) {
  const std::optional<base::Uuid> uuid = base::Uuid::Parse(text);
  if (!uuid.has_value()) return errors::InvalidArgument(field, "is no UUID");
  return *uuid;
}

absl::StatusOr<std::vector<std::string>> ReadCarers(const v1::UpdateDeviceRequest& request) {
  if (static_cast<size_t>(request.carer_ids_size()) > limits::kDeviceUsers) {
    return errors::InvalidArgument(
        "carer_ids", absl::StrCat("has ", request.carer_ids_size(), " users of at most ", limits::kDeviceUsers));
  }
  std::vector<std::string> carers;
  for (const std::string& id : request.carer_ids()) {
    ASSIGN_OR_RETURN(const base::Uuid carer, ParseUuid("carer_ids", id));
    std::string text = carer.ToString();
    if (std::find(carers.begin(), carers.end(), text) == carers.end()) carers.push_back(std::move(text));
  }
  return carers;
}

absl::StatusOr<Wanted> ReadRequest(const v1::UpdateDeviceRequest& request) {
  Wanted wanted;
  wanted.allow_missing = request.allow_missing();
  ASSIGN_OR_RETURN(wanted.device, ParseUuid("device_uuid", request.device_uuid()));
  if (!request.set_branch() && !request.branch_id().empty()) {
    return errors::InvalidArgument("branch_id", "is given without set_branch");
  }
  if (!request.set_users() && request.carer_ids_size() > 0) {
    return errors::InvalidArgument("carer_ids", "are given without set_users");
  }
  if (request.set_branch()) {
    wanted.branch = std::string();
    if (!request.branch_id().empty()) {
      ASSIGN_OR_RETURN(const base::Uuid branch, ParseUuid("branch_id", request.branch_id()));
      wanted.branch = branch.ToString();
    }
  }
  if (request.set_users()) {
    ASSIGN_OR_RETURN(wanted.carers, ReadCarers(request));
  }
  return wanted;
}

absl::StatusOr<bool> Exists(const storage::Reader& reader, const base::TenantId& tenant, v1::RecordKind kind,
                            const std::string& id) {
  ASSIGN_OR_RETURN(const std::optional<store::Record> record,
                   records::GetRecord(reader, tenant, records::KeyOf({kind, *base::Uuid::Parse(id)})));
  return record.has_value();
}

// Records are never taken away, so what is there now is there when the update commits.
absl::Status CheckReferences(const storage::Reader& reader, const base::TenantId& tenant, const Wanted& wanted) {
  if (wanted.branch.has_value() && !wanted.branch->empty()) {
    ASSIGN_OR_RETURN(const bool known, Exists(reader, tenant, v1::RECORD_KIND_BRANCH, *wanted.branch));
    if (!known) return errors::BranchUnknown(*wanted.branch);
  }
  if (!wanted.carers.has_value()) return absl::OkStatus();
  for (const std::string& carer : *wanted.carers) {
    ASSIGN_OR_RETURN(const bool known, Exists(reader, tenant, v1::RECORD_KIND_CARER, carer));
    if (!known) return errors::CarerUnknown(carer);
  }
  return absl::OkStatus();
}

// The commit that makes the update; nullopt where all is so already.
absl::StatusOr<std::optional<storage::Commit>> MakeCommit(const storage::Reader& reader, const base::TenantId& tenant,
                                                          const Wanted& wanted, absl::Time now) {
  const std::string key = base::keys::DeviceRow(tenant, wanted.device, base::keys::DevicePart::kDevice);
  ASSIGN_OR_RETURN(std::optional<std::string> before, reader.Get(storage::Space::kDevices, key));
  store::Device device;
  if (before.has_value()) {
    ASSIGN_OR_RETURN(device, base::ParseStored<store::Device>(*before));
  } else {
    if (!wanted.allow_missing) return errors::DeviceUnknown(wanted.device.ToString());
    device.set_enrolled_time_us(base::ToStoredTime(now));
  }
  RETURN_IF_ERROR(CheckReferences(reader, tenant, wanted));
  if (wanted.branch.has_value()) device.set_branch_id(*wanted.branch);
  if (wanted.carers.has_value()) device.mutable_carer_ids()->Assign(wanted.carers->begin(), wanted.carers->end());

  std::string after = device.SerializeAsString();
  if (before == after) return std::optional<storage::Commit>();
  storage::Commit commit;
  commit.preconditions.push_back({storage::Space::kDevices, key, std::move(before)});
  commit.writes.push_back({storage::Space::kDevices, key, std::move(after)});
  return std::optional<storage::Commit>(std::move(commit));
}

}  // namespace

struct DeviceRegistry::Pending {
  base::TenantId tenant;
  Wanted wanted;
  std::function<void(absl::Status)> done;
  int tries = 0;
};

DeviceRegistry::DeviceRegistry(storage::Store& store, base::Clock& clock, base::Executor& executor)
    : store_(store), clock_(clock), executor_(executor) {}

void DeviceRegistry::Update(const base::TenantId& tenant, const v1::UpdateDeviceRequest& request,
                            std::function<void(absl::Status)> done) {
  absl::StatusOr<Wanted> wanted = ReadRequest(request);
  if (!wanted.ok()) return done(wanted.status());
  auto pending = std::make_shared<Pending>(Pending{tenant, *std::move(wanted), std::move(done)});
  executor_.Post([this, pending] { Try(pending); });
}

void DeviceRegistry::Try(std::shared_ptr<Pending> pending) {
  if (++pending->tries > limits::kConflictTries) return pending->done(errors::CommitConflict());
  const absl::StatusOr<std::unique_ptr<storage::Snapshot>> snapshot = store_.NewSnapshot();
  if (!snapshot.ok()) return pending->done(snapshot.status());
  absl::StatusOr<std::optional<storage::Commit>> commit =
      MakeCommit(**snapshot, pending->tenant, pending->wanted, clock_.Now());
  if (!commit.ok()) return pending->done(commit.status());
  if (!commit->has_value()) return pending->done(absl::OkStatus());
  store_.Apply(**std::move(commit), [this, pending](const storage::CommitResult& result) {
    switch (result.outcome) {
      case storage::CommitOutcome::kCommitted:
        return pending->done(absl::OkStatus());
      case storage::CommitOutcome::kFull:
        return pending->done(errors::StoreFull());
      case storage::CommitOutcome::kUnavailable:
        return pending->done(errors::StoreUnavailable(result.detail));
      case storage::CommitOutcome::kConflict:
      case storage::CommitOutcome::kUnknown:
        // The next try reads what is stored now, and finds nothing left to do where this one was written after all.
        return executor_.Post([this, pending] { Try(pending); });
    }
  });
}

}  // namespace caresync::devices
