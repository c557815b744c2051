// Where a record came from.
#ifndef CARESYNC_SERVER_RECORDS_ORIGIN_H_
#define CARESYNC_SERVER_RECORDS_ORIGIN_H_

#include <optional>
#include <string>

#include "caresync/store/stored.pb.h"

namespace caresync::records {

// The ID that `source`, a rostering system, itself gave the record; empty where it gave none, and where there is no
// record. Pure.
std::string ExternalIdIn(const std::string& source, const std::optional<store::Record>& record);

}  // namespace caresync::records

#endif  // CARESYNC_SERVER_RECORDS_ORIGIN_H_
