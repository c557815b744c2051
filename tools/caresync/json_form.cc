#include "tools/caresync/json_form.h"

#include <iostream>
#include <string>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "google/protobuf/util/json_util.h"

namespace caresync::cli {

nlohmann::ordered_json ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string text;
  const bool printed = google::protobuf::util::MessageToJsonString(message, &text, options).ok();
  ABSL_RAW_CHECK(printed, "every message of the contract has a JSON form");
  return nlohmann::ordered_json::parse(text);
}

void PrintJson(const nlohmann::ordered_json& json) {
  std::cout << json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << "\n" << std::flush;
}

std::string EnumText(const std::string& name, const std::string& prefix) {
  return absl::StrReplaceAll(absl::AsciiStrToLower(absl::StripPrefix(name, prefix)), {{"_", " "}});
}

}  // namespace caresync::cli
