// What devices held of carers' visits when the server heard of it: copies of the devices' own stores, to be compared
// with what the server says later that they showed then (deliveries::ReadDeviceView).
//
// One is kept where a commit takes a device's word: what the device's store had with the very token that the commit
// records, or with its start. It counts from the mark of that commit, by the server's clock as the mark has it, until
// the next mark; where the commit writes none, since nothing new is told, from the moment of the commit. A copy goes
// with a copy of the store: what was kept behind a backup is gone where that is restored.
//
// What cannot be told, and is not compared or may be shown as not known:
//   - where the clock was set back, a moment that it shows twice is that of the later mark, and what was kept of the
//     earlier one counts only up to that;
//   - a copy that was spoiled on the phone is another than what was sent; one that is known to have diverged, or whose
//     token is of a state that the store has lost, need not be known, but where it is shown it is shown as it is;
//   - a phone that was put back from its backup, or one that meets a store that was, may say that it holds part of a
//     delta that nobody was told of: that need not be known until a mark says that the copy
//     is whole;
//   - likewise of a phone that was put back and is further then than the server knew, and of two phones with one UUID:
//     which way the one came to where it is, nobody can tell. Part of a delta is not compared there at all, until the
//     copy is whole.
#ifndef CARESYNC_TESTS_SIMULATION_HELD_COPIES_H_
#define CARESYNC_TESTS_SIMULATION_HELD_COPIES_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/base/ids.h"
#include "server/deliveries/device_view.h"
#include "server/feed/feed_entry.h"
#include "tests/fakes/test_device.h"

namespace caresync::simulation {

// The visits of a carer's copy, with their payloads as the device has them.
using HeldVisits = std::map<base::RecordKey, std::string>;

HeldVisits VisitsOf(const fakes::HeldRecords& records);

// What the server heard of a carer's copy on a device, by one commit.
struct HeardCopy {
  enum class What { kHolds, kNothing, kNotJudged };
  What what = What::kNotJudged;
  // With kHolds.
  std::shared_ptr<const HeldVisits> visits;
  // Where the copy in use stands, as the commit records it; empty: nothing is known of it.
  base::CommitPoint cursor;
  feed::Position position;
  // It is known to be another than what was sent, or of a state that the store has lost.
  bool foreign = false;
  // It is what a start says of a phone that was put back from a backup, and was not caught up since.
  bool put_back = false;
  // The phone is one of two with one UUID.
  bool of_pair = false;
};

struct KeptCopy {
  // From then on, and before `until`, by the server's clock.
  absl::Time time;
  absl::Time until = absl::InfiniteFuture();
  // nullptr: the device held no copy.
  std::shared_ptr<const HeldVisits> visits = nullptr;
  // The device had applied part of a delta.
  bool is_part = false;
  bool may_be_unknown = false;
};

// Of one carer on one device, some of those of a seed. A value: a copy goes with a copy of the store. Used by one
// thread.
class HeldCopies {
 public:
  // A commit writes a mark of this number and time. False: its number is none that comes next.
  bool TakeMark(uint64_t number, absl::Time time);
  // Behind the marks of the same commit. `now`: what the clock shows.
  void Take(const HeardCopy& heard, absl::Time now);
  // The store was put back to what is here: what the device has said since is lost.
  void Break();

  const std::vector<KeptCopy>& kept() const { return kept_; }

 private:
  // How part of a delta is compared.
  enum class Doubt { kNone, kMayBeUnknown, kNotCompared };

  void TakePlace(const HeardCopy& heard, bool marked);
  void Keep(KeptCopy kept);

  Doubt doubt_ = Doubt::kNone;
  feed::Position position_;
  uint64_t last_number_ = 0;
  absl::Time last_mark_ = absl::InfinitePast();
  // The commit that is being taken has written marks.
  bool marked_ = false;
  std::vector<KeptCopy> kept_;
  // How many were let go of, to make room.
  size_t let_go_ = 0;
};

// How the server's view of the moment compares with what the device held.
struct ViewVerdict {
  // In what they differ; empty: in nothing that the view is sure of.
  std::string fault;
  size_t visits = 0;
  size_t uncertain = 0;
};

ViewVerdict Judge(const KeptCopy& kept, const deliveries::DeviceView& view);

}  // namespace caresync::simulation

#endif  // CARESYNC_TESTS_SIMULATION_HELD_COPIES_H_
