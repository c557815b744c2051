// The names of carers, service users and branches, each read once a request.
#ifndef CARESYNC_SERVER_DEVICES_NAMES_H_
#define CARESYNC_SERVER_DEVICES_NAMES_H_

#include <map>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "caresync/v1/records.pb.h"
#include "server/base/ids.h"
#include "storage/store.h"

namespace caresync::devices {

// For one request and one thread. What is given to the constructor must outlive it.
class Names {
 public:
  Names(const storage::Reader& reader, const base::TenantId& tenant) : reader_(reader), tenant_(tenant) {}

  // Empty for an empty ID, where there is no such record, and where the record cannot be read, which the log says: what
  // is told beside the name holds all the same. Errors are those of reading.
  absl::StatusOr<std::string> Carer(const std::string& id) { return Find(v1::RECORD_KIND_CARER, id); }
  absl::StatusOr<std::string> ServiceUser(const std::string& id) { return Find(v1::RECORD_KIND_SERVICE_USER, id); }
  absl::StatusOr<std::string> Branch(const std::string& id) { return Find(v1::RECORD_KIND_BRANCH, id); }

 private:
  absl::StatusOr<std::string> Find(v1::RecordKind kind, const std::string& id);
  absl::StatusOr<std::string> ReadUnlessDamaged(v1::RecordKind kind, const std::string& id) const;
  absl::StatusOr<std::string> Read(v1::RecordKind kind, const std::string& id) const;

  const storage::Reader& reader_;
  const base::TenantId& tenant_;
  std::map<std::pair<v1::RecordKind, std::string>, std::string> known_;
};

}  // namespace caresync::devices

#endif  // CARESYNC_SERVER_DEVICES_NAMES_H_
