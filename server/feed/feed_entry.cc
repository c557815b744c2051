#include "server/feed/feed_entry.h"

#include <openssl/evp.h>

#include <memory>
#include <string>

#include "absl/base/internal/endian.h"
#include "absl/base/internal/raw_logging.h"

namespace caresync::feed {
namespace {

// Longer than any record key.
constexpr size_t kEndOfRecords = 255;

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    ABSL_RAW_CHECK(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1, "SHA-256 is not available");
  }

  void Add(std::string_view bytes) {
    ABSL_RAW_CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1, "SHA-256 failed");
  }

  void AddBigEndian(uint32_t number) {
    char bytes[sizeof(number)];
    absl::big_endian::Store32(bytes, number);
    Add({bytes, sizeof(bytes)});
  }

  uint64_t First8Bytes() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    ABSL_RAW_CHECK(EVP_DigestFinal_ex(context_.get(), digest, nullptr) == 1, "SHA-256 failed");
    return absl::big_endian::Load64(digest);
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

Position Position::EndOf(base::Revision revision) {
  return {.revision = revision, .record = {std::string(kEndOfRecords, '\xff')}};
}

Totals FeedSummary::Through(Level level) const {
  Totals totals{count, sum, payload_bytes};
  for (auto above = above_first.upper_bound(level); above != above_first.end(); ++above) {
    totals.count -= above->second.count;
    totals.sum -= above->second.sum;
    totals.payload_bytes -= above->second.payload_bytes;
  }
  return totals;
}

uint64_t Fingerprint(uint32_t kind, std::string_view record_id, std::string_view payload) {
  Sha256 hash;
  hash.AddBigEndian(kind);
  hash.AddBigEndian(static_cast<uint32_t>(record_id.size()));
  hash.Add(record_id);
  hash.Add(payload);
  return hash.First8Bytes();
}

}  // namespace caresync::feed
