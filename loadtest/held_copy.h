// The records that a device holds of one carer, with their count and sum by the rule of docs/protocol.md.
//
// Written from that page's words and not with the server's own code, so that a mistake there shows.
#ifndef CARESYNC_LOADTEST_HELD_COPY_H_
#define CARESYNC_LOADTEST_HELD_COPY_H_

#include <compare>
#include <cstdint>
#include <map>
#include <string>

#include "caresync/v1/device_sync.pb.h"
#include "caresync/v1/records.pb.h"

namespace caresync::loadtest {

// A record within a tenant.
struct RecordName {
  v1::RecordKind kind = v1::RECORD_KIND_UNSPECIFIED;
  std::string id;
  auto operator<=>(const RecordName&) const = default;
};

// Such as "VISIT 6f9b1c1e-3c0f-4c6e-9d0e-0c2b5f6a7d81".
std::string ToText(const RecordName& name);

uint64_t FingerprintOf(const RecordName& name, const std::string& payload);

// A value. Not thread-safe.
class HeldCopy {
 public:
  struct Held {
    std::string payload;
    uint64_t fingerprint = 0;
  };

  void Put(const RecordName& name, const std::string& payload);
  // One that is not held is no error.
  void Remove(const RecordName& name);

  const std::map<RecordName, Held>& records() const { return records_; }
  // Kept along with each change.
  v1::CopySum Sum() const;
  // Worked out anew over what is held.
  v1::CopySum Recount() const;

 private:
  std::map<RecordName, Held> records_;
  uint64_t sum_ = 0;
};

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_HELD_COPY_H_
