#include "tools/caresync/json_form.h"

#include <cstdint>
#include <iostream>
#include <string>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/util/json_util.h"

namespace caresync::cli {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using Json = nlohmann::ordered_json;

// Up to here, either side of zero, every reader of JSON takes a number for what it is: many keep it as a double.
constexpr int64_t kExact = int64_t{1} << 53;

void PutNumbers(const Descriptor& type, Json& json);

// Protobuf writes 64-bit numbers as text.
void PutNumber(const FieldDescriptor& field, Json& value) {
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) return PutNumbers(*field.message_type(), value);
  const bool long_number =
      field.cpp_type() == FieldDescriptor::CPPTYPE_INT64 || field.cpp_type() == FieldDescriptor::CPPTYPE_UINT64;
  int64_t number = 0;
  if (!long_number || !value.is_string() || !absl::SimpleAtoi(value.get_ref<const std::string&>(), &number)) return;
  if (number >= -kExact && number <= kExact) value = number;
}

void PutNumbers(const Descriptor& type, Json& json) {
  // Times and durations are texts.
  if (!json.is_object()) return;
  for (auto& [name, value] : json.items()) {
    const FieldDescriptor* field = type.FindFieldByName(name);
    if (field == nullptr) continue;
    if (!field->is_repeated()) {
      PutNumber(*field, value);
      continue;
    }
    for (Json& element : value) PutNumber(*field, element);
  }
}

}  // namespace

nlohmann::ordered_json ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string text;
  const bool printed = google::protobuf::util::MessageToJsonString(message, &text, options).ok();
  ABSL_RAW_CHECK(printed, "every message of the contract has a JSON form");
  Json json = Json::parse(text);
  PutNumbers(*message.GetDescriptor(), json);
  return json;
}

void PrintJson(const nlohmann::ordered_json& json) {
  std::cout << json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << "\n" << std::flush;
}

std::string EnumText(const std::string& name, const std::string& prefix) {
  return absl::StrReplaceAll(absl::AsciiStrToLower(absl::StripPrefix(name, prefix)), {{"_", " "}});
}

}  // namespace caresync::cli
