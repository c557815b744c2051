// The records that the checker sends: real ones, made from their names.
#ifndef CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_MADE_RECORDS_H_
#define CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_MADE_RECORDS_H_

#include <map>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "caresync/v1/device_sync.pb.h"
#include "server/base/uuid.h"

namespace caresync::cli::check {

using RecordName = std::pair<v1::RecordKind, std::string>;
// By kind and ID: payloads.
using HeldRecords = std::map<RecordName, std::string>;

// Over all that is held, as docs/protocol.md has it.
v1::CopySum SumOf(const HeldRecords& records);

// Of one run of a scenario: other IDs in each. A value.
class RecordMaker {
 public:
  RecordMaker(base::Uuid space, absl::Time now) : space_(space), now_(now) {}

  // c1 a carer, p1 a service user, v1 a visit to p1, a1 a care plan of p1. The ID is a UUID.
  RecordName NameOf(const std::string& name) const;
  std::string IdOf(const std::string& name) const { return NameOf(name).second; }
  // The name's own text, for people: "v1 (<id>)".
  std::string Shown(const std::string& name) const;
  // As it stands in the copy of the carer with this ID: a visit is this carer's. `version` is any word, and other words
  // give other payloads. `large`: about as large as such a record may be; `strange`: fields that no app knows yet, and
  // known ones out of their order.
  std::string PayloadOf(const std::string& name, const std::string& version, const std::string& carer_id) const;

 private:
  std::string Visit(const std::string& name, const std::string& version, const std::string& carer_id) const;

  base::Uuid space_;
  absl::Time now_;
};

}  // namespace caresync::cli::check

#endif  // CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_MADE_RECORDS_H_
