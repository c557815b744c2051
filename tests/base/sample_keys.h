// What tests of key layouts make keys of.
#ifndef CARESYNC_TESTS_BASE_SAMPLE_KEYS_H_
#define CARESYNC_TESTS_BASE_SAMPLE_KEYS_H_

#include <string>
#include <string_view>

#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "storage/store.h"

namespace caresync::base::keys {

inline const TenantId kTenant = *TenantId::Parse("a");
// Of these two the first comes before the second.
inline const RecordKey kVisit{std::string("\0visit\xFF", 7)};
inline const RecordKey kOther{"other"};
// So of these.
inline const Uuid kDevice = *Uuid::Parse("6ba7b810-9dad-11d1-80b4-00c04fd430c8");
inline const Uuid kLastDevice = *Uuid::Parse("ffffffff-ffff-ffff-ffff-ffffffffffff");

inline bool In(const storage::KeyRange& range, std::string_view key) {
  return key >= range.begin && (range.end.empty() || key < range.end);
}

}  // namespace caresync::base::keys

#endif  // CARESYNC_TESTS_BASE_SAMPLE_KEYS_H_
