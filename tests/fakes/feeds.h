// What a receiver holds, read from its feed's rows and checked against each other.
#ifndef CARESYNC_TESTS_FAKES_FEEDS_H_
#define CARESYNC_TESTS_FAKES_FEEDS_H_

#include <cstdint>
#include <map>
#include <set>

#include "server/base/ids.h"
#include "server/records/record_key.h"
#include "storage/store.h"

namespace caresync::fakes {

struct HeldRecord {
  uint64_t fingerprint = 0;
  // Where its entry lies in the feed.
  base::Revision revision = 0;
};

// The records that `receiver` may see, as its feed says. The test dies where the feed's entries, places and head row do
// not agree.
std::map<records::RecordName, HeldRecord> HeldBy(const storage::Reader& reader, const base::TenantId& tenant,
                                                 const base::ReceiverId& receiver);

// Their names alone.
std::set<records::RecordName> SeenBy(const storage::Reader& reader, const base::TenantId& tenant,
                                     const base::ReceiverId& receiver);

}  // namespace caresync::fakes

#endif  // CARESYNC_TESTS_FAKES_FEEDS_H_
