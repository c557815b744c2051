// What the device must hold of each carer, as far as the server's messages say: after each token that was given.
#ifndef CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_COPIES_H_
#define CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_COPIES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "caresync/v1/device_sync.pb.h"
#include "tools/caresync/check_client/made_records.h"

namespace caresync::cli::check {

// One carer's copies at one moment.
struct CopyState {
  std::optional<HeldRecords> in_use;
  std::optional<HeldRecords> making;
  uint64_t making_number = 0;
};

// One carer's. A value; not thread-safe.
class Copies {
 public:
  // The device goes on from what it held when it was given `token`. An empty one: an unfinished copy is gone.
  void GoOnFrom(const std::string& token);
  void Drop();

  // What a message does, in the order of its fields. `Number` is that of the copy that changes belong to.
  void Begin(uint64_t rebuild_number);
  uint64_t Number() const { return now_.making ? now_.making_number : 0; }
  void Apply(const v1::Changes& changes);
  void CaughtUp(const v1::CaughtUp& caught_up);

  // After everything that was sent.
  const CopyState& now() const { return now_; }
  // nullptr: no such token was given for this carer.
  const CopyState* After(const std::string& token) const;
  // Every payload that was ever sent of a record.
  const std::map<RecordName, std::vector<std::string>>& ever() const { return ever_; }

 private:
  CopyState now_;
  std::map<std::string, CopyState> after_;
  std::map<RecordName, std::vector<std::string>> ever_;
};

}  // namespace caresync::cli::check

#endif  // CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_COPIES_H_
