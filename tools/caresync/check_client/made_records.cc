#include "tools/caresync/check_client/made_records.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/base/proto_time.h"
#include "tools/caresync/device_store.h"

namespace caresync::cli::check {
namespace {

// The bounds of the fields, in characters.
constexpr size_t kLargeNotes = 4000;
constexpr size_t kLargePlan = 200'000;
// A field that no message of the contract has.
constexpr int kUnknownField = 900;

std::string TextOf(const std::string& version, size_t large) {
  if (version == "large") return std::string(large, 'x');
  return version.empty() ? "" : absl::StrCat("version ", version);
}

// The same message in a form that no serializer makes: parsed and written anew, its bytes are others.
std::string Strange(google::protobuf::Message& message) {
  std::string known = message.SerializeAsString();
  message.Clear();
  message.GetReflection()->MutableUnknownFields(&message)->AddLengthDelimited(kUnknownField, "of a later server");
  return message.SerializeAsString() + known;
}

std::string Serialized(google::protobuf::Message& message, const std::string& version) {
  return version == "strange" ? Strange(message) : message.SerializeAsString();
}

}  // namespace

v1::CopySum SumOf(const HeldRecords& records) {
  v1::CopySum sum;
  uint64_t total = 0;
  for (const auto& [name, payload] : records) total += Fingerprint(name.first, name.second, payload);
  sum.set_count(records.size());
  sum.set_sum(total);
  return sum;
}

RecordName RecordMaker::NameOf(const std::string& name) const {
  const v1::RecordKind kind = name[0] == 'c'   ? v1::RECORD_KIND_CARER
                              : name[0] == 'p' ? v1::RECORD_KIND_SERVICE_USER
                              : name[0] == 'v' ? v1::RECORD_KIND_VISIT
                              : name[0] == 'a' ? v1::RECORD_KIND_CARE_PLAN
                                               : v1::RECORD_KIND_CARE_EVENT;
  return {kind, base::Uuid::Derived(space_, name).ToString()};
}

std::string RecordMaker::Shown(const std::string& name) const { return absl::StrCat(name, " (", IdOf(name), ")"); }

std::string RecordMaker::Visit(const std::string& name, const std::string& version, const std::string& carer_id) const {
  int number = 0;
  (void)absl::SimpleAtoi(name.substr(1), &number);
  v1::Visit visit;
  visit.set_service_user_id(IdOf("p1"));
  visit.set_notes(TextOf(version, kLargeNotes));
  v1::Assignment& assignment = *visit.add_assignments();
  assignment.set_carer_id(carer_id);
  *assignment.mutable_start_time() = base::ToTimestamp(now_ + absl::Minutes(30) * number);
  *assignment.mutable_end_time() = base::ToTimestamp(now_ + absl::Minutes(30) * (number + 1));
  return Serialized(visit, version);
}

std::string RecordMaker::PayloadOf(const std::string& name, const std::string& version,
                                   const std::string& carer_id) const {
  if (name[0] == 'v') return Visit(name, version, carer_id);
  if (name[0] == 'p') {
    v1::ServiceUser user;
    // Beyond ASCII: sums are over bytes, not characters.
    user.set_name(absl::StrCat("Zoë Ångström ", name));
    user.set_address(TextOf(version, 500));
    return Serialized(user, version);
  }
  if (name[0] == 'a') {
    v1::CarePlan plan;
    plan.set_service_user_id(IdOf("p1"));
    plan.set_title(absl::StrCat("Plan ", name));
    plan.set_text(TextOf(version, kLargePlan));
    return Serialized(plan, version);
  }
  v1::Carer carer;
  carer.set_name(absl::StrCat("Carer ", name, version.empty() ? "" : " ", version));
  return Serialized(carer, version);
}

}  // namespace caresync::cli::check
