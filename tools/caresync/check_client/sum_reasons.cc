#include "tools/caresync/check_client/sum_reasons.h"

#include <openssl/sha.h>

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tools/caresync/device_store.h"

namespace caresync::cli::check {
namespace {

uint64_t ReversedBytes(uint64_t value) {
  uint64_t reversed = 0;
  for (int i = 0; i < 8; ++i) reversed = reversed << 8 | ((value >> (8 * i)) & 0xff);
  return reversed;
}

// The first 8 bytes of the digest of `bytes`, big-endian.
uint64_t DigestOf(const std::string& bytes) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest);
  uint64_t first = 0;
  for (int i = 0; i < 8; ++i) first = first << 8 | digest[i];
  return first;
}

template <typename Message>
std::string WrittenAnew(const std::string& payload, bool keeps_unknown) {
  Message message;
  if (!message.ParseFromString(payload)) return payload;
  if (!keeps_unknown) message.DiscardUnknownFields();
  return message.SerializeAsString();
}

std::string WrittenAnew(v1::RecordKind kind, const std::string& payload, bool keeps_unknown) {
  switch (kind) {
    case v1::RECORD_KIND_CARER:
      return WrittenAnew<v1::Carer>(payload, keeps_unknown);
    case v1::RECORD_KIND_SERVICE_USER:
      return WrittenAnew<v1::ServiceUser>(payload, keeps_unknown);
    case v1::RECORD_KIND_VISIT:
      return WrittenAnew<v1::Visit>(payload, keeps_unknown);
    case v1::RECORD_KIND_CARE_PLAN:
      return WrittenAnew<v1::CarePlan>(payload, keeps_unknown);
    default:
      return payload;
  }
}

using FingerprintOf = uint64_t (*)(const RecordName& name, const std::string& payload);

struct WrongRule {
  const char* told;
  FingerprintOf fingerprint;
};

// Ways in which the fingerprint is misread.
constexpr WrongRule kWrongRules[] = {
    {"as if the digest's 8 bytes were read little-endian",
     [](const RecordName& name, const std::string& payload) {
       return ReversedBytes(Fingerprint(name.first, name.second, payload));
     }},
    {"as if the digest were over the payload alone",
     [](const RecordName&, const std::string& payload) { return DigestOf(payload); }},
    {"as if payloads were parsed and written anew",
     [](const RecordName& name, const std::string& payload) {
       return Fingerprint(name.first, name.second, WrittenAnew(name.first, payload, true));
     }},
    {"as if payloads were parsed and written anew, without the fields that the app does not know",
     [](const RecordName& name, const std::string& payload) {
       return Fingerprint(name.first, name.second, WrittenAnew(name.first, payload, false));
     }},
    {"as if kind and length were left out of the digest",
     [](const RecordName& name, const std::string& payload) { return DigestOf(name.second + payload); }},
};

class Explanation {
 public:
  Explanation(const v1::CopySum& seen, const HeldRecords& expected, const Copies& copies)
      : seen_(seen), expected_(expected), copies_(copies), should_(SumOf(expected)) {}

  std::string Words(const std::function<std::string(const RecordName&)>& shown) const {
    for (const auto& [name, payloads] : copies_.ever()) {
      if (const char* told = OfRecord(name, payloads)) return absl::StrCat(told, shown(name));
    }
    if (OldAndNewTogether()) return "as if the records of the copy in use and of the new one were held together";
    if (seen_.count() != should_.count()) return "";
    for (const WrongRule& rule : kWrongRules) {
      uint64_t sum = 0;
      for (const auto& [name, payload] : expected_) sum += rule.fingerprint(name, payload);
      if (sum == seen_.sum()) return rule.told;
    }
    return "";
  }

 private:
  bool Is(int64_t more, uint64_t more_sum) const {
    return seen_.count() == should_.count() + static_cast<uint64_t>(more) && seen_.sum() == should_.sum() + more_sum;
  }
  // What one record alone would explain; nullptr: nothing.
  const char* OfRecord(const RecordName& name, const std::vector<std::string>& payloads) const {
    const auto held = expected_.find(name);
    const uint64_t right = held == expected_.end() ? 0 : Fingerprint(name.first, name.second, held->second);
    if (held != expected_.end() && Is(-1, -right)) return "as if one record were missing: ";
    for (const std::string& payload : payloads) {
      const uint64_t other = Fingerprint(name.first, name.second, payload);
      if (held == expected_.end()) {
        if (Is(1, other)) return "as if one record were held that was removed, or is not of this copy: ";
        continue;
      }
      if (Is(1, other)) return "as if one record were counted twice: ";
      if (other != right && Is(0, other - right)) return "as if an earlier version were held of one record: ";
    }
    return nullptr;
  }
  // Everything that was ever sent and is not held any more, added.
  bool OldAndNewTogether() const {
    HeldRecords all = expected_;
    for (const auto& [name, payloads] : copies_.ever()) all.emplace(name, payloads.back());
    const v1::CopySum sum = SumOf(all);
    return sum.count() == seen_.count() && sum.sum() == seen_.sum();
  }

  const v1::CopySum& seen_;
  const HeldRecords& expected_;
  const Copies& copies_;
  const v1::CopySum should_;
};

}  // namespace

std::string ExplainSum(const v1::CopySum& seen, const HeldRecords& expected, const Copies& copies,
                       const std::function<std::string(const RecordName&)>& shown) {
  return Explanation(seen, expected, copies).Words(shown);
}

}  // namespace caresync::cli::check
