// Messages of the contract as JSON, for --json.
#ifndef CARESYNC_TOOLS_CARESYNC_JSON_FORM_H_
#define CARESYNC_TOOLS_CARESYNC_JSON_FORM_H_

#include <string>

#include "caresync/v1/records.pb.h"
#include "google/protobuf/message.h"
#include "nlohmann/json.hpp"

namespace caresync::cli {

// Protobuf's own JSON mapping with the contract's field names, fields of zero value included; but a 64-bit number is a
// JSON number where a double holds it exactly (up to 2^53), and text only beyond.
nlohmann::ordered_json ToJson(const google::protobuf::Message& message);
// One line, on the standard output. Bytes that are no UTF-8 are replaced.
void PrintJson(const nlohmann::ordered_json& json);
// An enum value's name without its prefix, in lower case: SYNC_TYPE_CLEAN and SYNC_TYPE_ give clean.
std::string EnumText(const std::string& name, const std::string& prefix);

}  // namespace caresync::cli

#endif  // CARESYNC_TOOLS_CARESYNC_JSON_FORM_H_
