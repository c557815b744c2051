#include "loadtest/held_copy.h"

#include <openssl/sha.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace caresync::loadtest {
namespace {

void AppendBigEndian(uint32_t number, std::string& bytes) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(number >> shift));
}

}  // namespace

std::string ToText(const RecordName& name) {
  const std::string kind = v1::RecordKind_Name(name.kind);
  return absl::StrCat(absl::StripPrefix(kind, "RECORD_KIND_"), " ", name.id);
}

uint64_t FingerprintOf(const RecordName& name, const std::string& payload) {
  std::string bytes;
  bytes.reserve(8 + name.id.size() + payload.size());
  AppendBigEndian(static_cast<uint32_t>(name.kind), bytes);
  AppendBigEndian(static_cast<uint32_t>(name.id.size()), bytes);
  bytes += name.id;
  bytes += payload;
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest);
  uint64_t fingerprint = 0;
  for (int i = 0; i < 8; ++i) fingerprint = fingerprint << 8 | digest[i];
  return fingerprint;
}

void HeldCopy::Put(const RecordName& name, const std::string& payload) {
  Held& held = records_[name];
  // A record that is new has the fingerprint 0 until here.
  sum_ -= held.fingerprint;
  held.payload = payload;
  held.fingerprint = FingerprintOf(name, payload);
  sum_ += held.fingerprint;
}

void HeldCopy::Remove(const RecordName& name) {
  const auto held = records_.find(name);
  if (held == records_.end()) return;
  sum_ -= held->second.fingerprint;
  records_.erase(held);
}

v1::CopySum HeldCopy::Sum() const {
  v1::CopySum sum;
  sum.set_count(records_.size());
  sum.set_sum(sum_);
  return sum;
}

v1::CopySum HeldCopy::Recount() const {
  v1::CopySum sum;
  sum.set_count(records_.size());
  for (const auto& [name, held] : records_) sum.set_sum(sum.sum() + FingerprintOf(name, held.payload));
  return sum;
}

}  // namespace caresync::loadtest
