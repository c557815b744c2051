// Which mismatches must, may and must not be open: from the rota at each revision, from what each carer's device in use
// has said that it holds, and from the clock. Slow, plain, and without the server's rows of mismatches.
//
// The server is free to choose when it looks at a mismatch that is due, and when it resolves one that is settled. Which
// of them are open is therefore taken over from its list (oracle_mismatches.cc), commit by commit, and only after it
// was judged. It is exact that
//   - one opens only where a change of the visit waits that the device in use has not acknowledged at that very
//     commit, not before it is due, and not within two minutes of the server's start;
//   - one is resolved only where the device in use has acknowledged it since the tenant's commit before, and at the
//     latest by a further change that finds it so; or where it was taken back, as it says then: what is planned is what
//     the device had acknowledged before the first of the changes, and none of them was sent to it;
//   - one that has waited since it was due, with nothing in the server's way, is open.
// What cannot be told from outside is a band, Known::kMaybe or a span of times:
//   - whether one still waits that was settled for a moment when it was due, or when it was open: a look may have seen
//     that;
//   - whether one that was taken back is settled by that: the server need not be certain of what it sent;
//   - whether one opens, and when, that was settled before another device came into use, or before the one that is fell
//     back. It may from then on: where the device lacks it;
//   - what the device had acknowledged when a change came that took effect late, behind other commits;
//   - when one is due that came while the server's clock was ahead, once that is put right;
//   - whether a change counts that comes at the very moment at which its times are over, or whose times are over while
//     the device may still show later ones;
//   - whether there still is one of a visit that was over by a clock that was ahead;
//   - whether a carer whose device never had any copy is to acknowledge that a visit is gone.
#ifndef CARESYNC_TESTS_SIMULATION_NAIVE_MISMATCHES_H_
#define CARESYNC_TESTS_SIMULATION_NAIVE_MISMATCHES_H_

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "server/base/ids.h"
#include "tests/simulation/naive_model.h"
#include "tests/simulation/naive_reports.h"

namespace caresync::simulation {

// Whether something is so, as far as can be told.
enum class Known { kNo, kMaybe, kYes };

// What a visit is for one of its carers.
struct NaivePart {
  absl::Time start;
  absl::Time end;
  std::string service_user;
  bool operator==(const NaivePart&) const = default;
};

// nullopt: the carer's devices are not to hold it.
std::optional<NaivePart> PartOf(const State& state, const std::string& carer, const Name& visit);

// When a change that was committed at `change` is a mismatch, of a visit at `start`.
absl::Time DueOf(absl::Time change, absl::Time start);

// Whether the device in use has acknowledged the visit as it is at the head. `copy`: the carer's on that device;
// nullptr: it has none, or there is no such device.
Known IsSettled(const NaiveModel& model, const std::string& carer, const Name& visit, const NaiveCopy* copy);

// A change from which on the device in use has not acknowledged what came, as the server may know it.
struct NaiveBeginning {
  // What the device showed before it; nullopt: nothing of the visit.
  std::optional<std::string> payload;
  base::Revision revision = 0;
  // How far it had acknowledged the carer's feed, at least; nullopt: whatever it had, it showed that.
  std::optional<feed::Position> reached;
};

// The changes of a visit for one of its carers.
struct NaiveMismatch {
  // What the device in use may have acknowledged last, as the server knows it; nullopt: nothing of the visit.
  std::vector<std::optional<NaivePart>> acknowledged;
  // What was planned last, and whether the carer is still to have it.
  NaivePart planned;
  bool held = false;
  // What the carer's devices are to hold of it; nullopt: nothing.
  std::optional<std::string> payload;
  std::vector<NaiveBeginning> beginnings;
  // It is certain that the last change counts.
  bool is_exact = true;
  absl::Time last_change;
  base::Revision changed_at = 0;
  // Whether it waits for an ack, and when it is due: the span has but one moment where all is known.
  Known waits = Known::kNo;
  absl::Time due_from;
  absl::Time due_until;
  // The latest that the clock has shown since the last change.
  absl::Time seen;
  // The server may have let go of it: its visit was over.
  bool may_be_gone = false;
  bool open = false;
  bool was_resolved = false;
  // Since the last change that found it settled another device came into use, or the one that is fell back.
  bool looked_again = false;
  // As it was looked at last; of one that is neither open nor due it is not known.
  Known settled = Known::kNo;
  // At some moment since the tenant's last commit; and between the last two.
  bool settled_meanwhile = false;
  bool settled_at_commit = false;
  // The same of whether it was taken back; and whether it was at some moment when it was due, since the last change.
  bool taken_back_meanwhile = false;
  bool taken_back_at_commit = false;
  bool may_be_taken_back = false;
  // The last commit was a change that found it open and settled.
  bool must_resolve = false;
  // It was settled, and is not known to be any more, though neither the rota nor the device changed.
  bool lapsed = false;
  // What a device said settled it while it was open: nothing but a fault of the store keeps it open.
  bool owed = false;
};

// A tenant's. A value: a copy goes with a copy of the store. Used by one thread.
class NaiveMismatches {
 public:
  // Carer and visit.
  using Of = std::pair<std::string, Name>;
  // The carer's copy on the device in use; nullptr: see IsSettled.
  using CopyInUse = std::function<const NaiveCopy*(const std::string& carer)>;
  // Whether the device in use was sent something of the visit that was read from the feed as it was at one of the
  // revisions from `from` on and before `until`.
  using WasSent = std::function<bool(const Of& of, base::Revision from, base::Revision until)>;

  // The tenant's next commit, made at `made`, leads from the head of `model` to `after`. `is_late`: other commits came
  // before it that its change did not see. Look must have been called since the commit before.
  void OnCommit(const NaiveModel& model, const State& after, absl::Time made, bool is_late, const CopyInUse& copy_of);
  // To be called before and after each commit. `by_device`: since the last time a commit wrote rows of devices alone.
  void Look(const NaiveModel& model, absl::Time now, bool by_device, const CopyInUse& copy_of, const WasSent& was_sent);

  // Another device has come into use by the last commit, or the one that is has fallen back: what the carer's devices
  // had acknowledged waits again.
  void LookAgain(const NaiveModel& model, const std::string& carer, const CopyInUse& copy_of);

  // When the last commit was made.
  absl::Time last_commit() const { return last_commit_; }
  // Other commits came before it that its change did not see.
  bool last_was_late() const { return last_was_late_; }
  std::map<Of, NaiveMismatch>& rows() { return rows_; }
  const std::map<Of, NaiveMismatch>& rows() const { return rows_; }

 private:
  struct Change {
    std::optional<NaivePart> before;
    std::optional<NaivePart> after;
    // Whoever is to hold it holds these bytes.
    std::string payload_before;
    std::string payload;
    // There was no such visit.
    bool is_new = false;
    Known settled_before = Known::kNo;
    // How far the device in use had acknowledged the carer's feed, at least; nullopt: it had no copy.
    std::optional<feed::Position> reached;
    absl::Time made;
    base::Revision revision = 0;
    // As far as can be told without the times.
    Known counts_most = Known::kYes;
  };
  // What the carer's device in use had acknowledged of all that the carer may see.
  struct Acknowledged {
    feed::Position position;
    bool has_copy = false;
  };
  void Take(const Of& of, const Change& change);
  // A change of a visit that had left the window, and is not to be held after it either: it is one for a device that
  // shows the visit still, where the carer is not to come as that says. `planned`: inside the window or not.
  void TakeOfOneLeft(const Of& of, const std::optional<NaivePart>& planned, Change change);
  static void NoteBeginning(const Change& change, NaiveMismatch& row);
  void NoteFallBacks(const NaiveModel& model, const CopyInUse& copy_of);

  absl::Time last_commit_;
  bool last_was_late_ = false;
  std::map<Of, NaiveMismatch> rows_;
  // By carer: when it was looked at last.
  std::map<std::string, Acknowledged> acknowledged_;
};

// Whether what is planned now is what the device in use shows, as it was sent nothing in between. `copy`: as of
// IsSettled.
bool IsTakenBack(const NaiveMismatches::Of& of, const NaiveMismatch& row, const NaiveCopy* copy,
                 const NaiveMismatches::WasSent& was_sent);

// What was planned last, if the carer is to have it, may be what the device acknowledged last.
void NoteSettled(NaiveMismatch& row);

}  // namespace caresync::simulation

#endif  // CARESYNC_TESTS_SIMULATION_NAIVE_MISMATCHES_H_
