// The rows that say where each record's entry lies in a feed, for tests that check them against the entries.
#ifndef CARESYNC_TESTS_FAKES_FEED_PLACES_H_
#define CARESYNC_TESTS_FAKES_FEED_PLACES_H_

#include <string>
#include <string_view>

#include "server/base/ids.h"
#include "server/base/keys.h"
#include "storage/store.h"
#include "storage/tuple.h"

namespace caresync::fakes {

// All places of a feed.
inline storage::KeyRange FeedPlaces(const base::TenantId& tenant, const base::ReceiverId& receiver) {
  const base::RecordKey past_all{std::string(255, '\xff')};
  return {base::keys::FeedPlace(tenant, receiver, {}), base::keys::FeedPlace(tenant, receiver, past_all)};
}

// The record that a place is of. False where the key is of no place.
inline bool ParseFeedPlace(std::string_view key, base::RecordKey* record) {
  storage::TupleReader reader(key);
  std::string tenant;
  std::string receiver;
  uint8_t table = 0;
  return reader.String(&tenant) && reader.Byte(&table) && table == 'p' && reader.String(&receiver) &&
         reader.String(&record->bytes) && reader.AtEnd();
}

}  // namespace caresync::fakes

#endif  // CARESYNC_TESTS_FAKES_FEED_PLACES_H_
