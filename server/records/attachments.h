// What a care plan or a care event refers to; the bytes lie elsewhere. Pure functions; safe from any thread.
#ifndef CARESYNC_SERVER_RECORDS_ATTACHMENTS_H_
#define CARESYNC_SERVER_RECORDS_ATTACHMENTS_H_

#include <optional>
#include <string>

#include "caresync/v1/records.pb.h"

namespace caresync::records {

// What is wrong with `attachments`, to go behind their name: that they keep the bounds of records.proto, and each names
// its bytes; nullopt where nothing is.
std::optional<std::string> FaultOf(const google::protobuf::RepeatedPtrField<v1::Attachment>& attachments);

}  // namespace caresync::records

#endif  // CARESYNC_SERVER_RECORDS_ATTACHMENTS_H_
