#include "tests/fakes/feeds.h"

#include <limits>
#include <optional>
#include <string_view>

#include "absl/base/internal/raw_logging.h"
#include "absl/status/statusor.h"
#include "caresync/store/stored.pb.h"
#include "server/base/keys.h"
#include "server/base/stored.h"
#include "server/feed/feed_reader.h"
#include "tests/fakes/feed_places.h"

namespace caresync::fakes {

using records::RecordName;
using storage::Space;

std::map<RecordName, HeldRecord> HeldBy(const storage::Reader& reader, const base::TenantId& tenant,
                                        const base::ReceiverId& receiver) {
  std::map<RecordName, HeldRecord> held;
  uint64_t sum = 0;
  uint64_t removals = 0;
  const absl::Status read = reader.Scan(
      Space::kFeeds, FeedPlaces(tenant, receiver), std::numeric_limits<size_t>::max(),
      [&](std::string_view key, std::string_view value) {
        base::RecordKey record;
        store::FeedPlace place;
        ABSL_RAW_CHECK(ParseFeedPlace(key, &record), "a feed's place has no readable key");
        ABSL_RAW_CHECK(place.ParseFromArray(value.data(), static_cast<int>(value.size())), "a place cannot be read");
        const std::string entry_key = base::keys::FeedEntry(tenant, receiver, place.revision(), record);
        ABSL_RAW_CHECK(reader.Get(Space::kFeeds, entry_key)->has_value(), "a feed's place names no entry");
        if (place.entry().removal()) {
          ++removals;
          return true;
        }
        const std::optional<RecordName> name = records::NameOf(record);
        ABSL_RAW_CHECK(name.has_value(), "a feed's entry is of no record");
        held[*name] = {place.entry().fingerprint(), place.revision()};
        sum += place.entry().fingerprint();
        return true;
      });
  ABSL_RAW_CHECK(read.ok(), "a feed's places cannot be read");

  const absl::StatusOr<feed::FeedSummary> summary = feed::ReadSummary(reader, tenant, receiver);
  ABSL_RAW_CHECK(summary.ok(), "a feed's head row cannot be read");
  ABSL_RAW_CHECK(summary->count == held.size(), "a feed's count is wrong");
  ABSL_RAW_CHECK(summary->sum == sum, "a feed's sum is wrong");
  ABSL_RAW_CHECK(summary->removals == removals, "a feed's count of removals is wrong");
  return held;
}

std::set<RecordName> SeenBy(const storage::Reader& reader, const base::TenantId& tenant,
                            const base::ReceiverId& receiver) {
  std::set<RecordName> seen;
  for (const auto& [name, record] : HeldBy(reader, tenant, receiver)) seen.insert(name);
  return seen;
}

}  // namespace caresync::fakes
