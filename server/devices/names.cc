#include "server/devices/names.h"

#include <optional>

#include "absl/status/status.h"
#include "caresync/store/stored.pb.h"
#include "observability/log.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/base/uuid.h"
#include "server/records/record_key.h"
#include "server/records/record_store.h"

namespace caresync::devices {
namespace {

template <typename Payload>
absl::StatusOr<std::string> NameIn(const store::Record& record) {
  ASSIGN_OR_RETURN(const Payload payload, base::ParseStored<Payload>(record.payload()));
  return payload.name();
}

}  // namespace

absl::StatusOr<std::string> Names::Find(v1::RecordKind kind, const std::string& id) {
  const auto found = known_.find({kind, id});
  if (found != known_.end()) return found->second;
  ASSIGN_OR_RETURN(std::string name, ReadUnlessDamaged(kind, id));
  if (known_.size() >= base::limits::kReportNames) known_.clear();
  known_.emplace(std::pair(kind, id), name);
  return name;
}

absl::StatusOr<std::string> Names::ReadUnlessDamaged(v1::RecordKind kind, const std::string& id) const {
  absl::StatusOr<std::string> name = Read(kind, id);
  if (!absl::IsDataLoss(name.status())) return name;
  observability::Log(observability::Level::kError, "name_not_readable",
                     {{"tenant", tenant_.text()},
                      {"kind", v1::RecordKind_Name(kind)},
                      {"record", id},
                      {"error", name.status().message()}});
  return std::string();
}

absl::StatusOr<std::string> Names::Read(v1::RecordKind kind, const std::string& id) const {
  const std::optional<base::Uuid> uuid = base::Uuid::Parse(id);
  if (!uuid.has_value()) return std::string();
  ASSIGN_OR_RETURN(const std::optional<store::Record> record,
                   records::GetRecord(reader_, tenant_, records::KeyOf({kind, *uuid})));
  if (!record.has_value()) return std::string();
  switch (kind) {
    case v1::RECORD_KIND_CARER:
      return NameIn<v1::Carer>(*record);
    case v1::RECORD_KIND_SERVICE_USER:
      return NameIn<v1::ServiceUser>(*record);
    default:
      return NameIn<v1::Branch>(*record);
  }
}

}  // namespace caresync::devices
