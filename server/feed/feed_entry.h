// What a feed is made of: positions, entries, fingerprints.
//
// A receiver's feed holds, for every record it may see, one entry under the revision that last touched it: an upsert or
// a removal. No word of care here: records and receivers are opaque bytes.
#ifndef CARESYNC_SERVER_FEED_FEED_ENTRY_H_
#define CARESYNC_SERVER_FEED_FEED_ENTRY_H_

#include <compare>
#include <cstdint>
#include <limits>
#include <map>
#include <string_view>

#include "server/base/ids.h"

namespace caresync::feed {

// A place in a feed: entries are ordered by revision, then by record key, since one revision may touch many records.
struct Position {
  base::Revision revision = 0;
  // Empty: before every record of the revision.
  base::RecordKey record;
  auto operator<=>(const Position&) const = default;

  // After every record of `revision`. Record keys are shorter than 255 bytes of 0xFF.
  static Position EndOf(base::Revision revision);
};

// The least data level of an app that can keep a record. 1 is the first.
using Level = uint32_t;
inline constexpr Level kFirstLevel = 1;
inline constexpr Level kAllLevels = std::numeric_limits<Level>::max();

// Which version of a record an entry stands for.
struct RecordVersion {
  base::RecordKey record;
  // The revision that made this version.
  base::Revision version = 0;
  uint64_t fingerprint = 0;
  uint64_t payload_bytes = 0;
  Level level = kFirstLevel;
};

struct Entry {
  Position position;
  bool removal = false;
  // 0 for a removal.
  base::Revision version = 0;
  uint64_t fingerprint = 0;
  uint64_t payload_bytes = 0;
  // A removal keeps that of the record which was removed.
  Level level = kFirstLevel;
};

// What some upserts amount to.
struct Totals {
  uint64_t count = 0;
  // The sum of the upserts' fingerprints modulo 2^64.
  uint64_t sum = 0;
  uint64_t payload_bytes = 0;
  bool operator==(const Totals&) const = default;
};

// What a receiver's copy amounts to: the head row of its feed.
struct FeedSummary {
  // Of all levels.
  uint64_t count = 0;
  // The sum of the upserts' fingerprints modulo 2^64.
  uint64_t sum = 0;
  uint64_t payload_bytes = 0;
  // Of each level above the first that has upserts.
  std::map<Level, Totals> above_first;
  uint64_t removals = 0;
  base::Revision last_revision = 0;
  // The last removal that was forgotten. A reader whose position lies before it may have missed removals.
  Position horizon;

  // Nothing can lie after this position yet.
  bool EndsBy(const Position& position) const { return position >= Position::EndOf(last_revision); }
  // What the copy of an app of this level amounts to.
  Totals Through(Level level) const;
};

// The first 8 bytes, big-endian, of SHA-256 over: kind as 4 bytes big-endian, the ID's length as 4 bytes big-endian,
// the ID, the payload (CopySum in protos/caresync/v1/device_sync.proto).
uint64_t Fingerprint(uint32_t kind, std::string_view record_id, std::string_view payload);

}  // namespace caresync::feed

#endif  // CARESYNC_SERVER_FEED_FEED_ENTRY_H_
