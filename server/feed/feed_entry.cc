#include "server/feed/feed_entry.h"

#include <string>

#include "absl/base/internal/endian.h"
#include "server/base/sha256.h"

namespace caresync::feed {
namespace {

// Longer than any record key.
constexpr size_t kEndOfRecords = 255;

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
  base::Sha256 hash;
  hash.AddBigEndian(kind);
  hash.AddBigEndian(static_cast<uint32_t>(record_id.size()));
  hash.Add(record_id);
  hash.Add(payload);
  return absl::big_endian::Load64(hash.Finish().data());
}

}  // namespace caresync::feed
