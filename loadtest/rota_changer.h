// The rostering systems' side of a run: the rota as they have it, and the changes that they make to it.
#ifndef CARESYNC_LOADTEST_ROTA_CHANGER_H_
#define CARESYNC_LOADTEST_ROTA_CHANGER_H_

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "caresync/v1/roster.pb.h"

namespace caresync::loadtest {

// Changes the rota of one source at random: notes, times, carers, second carers, cancellations, publishing, people's
// names and phones, new visits. The same seed on the same rota makes the same changes. Every one of them is valid. Not
// thread-safe.
class RotaChanger {
 public:
  // `imported` is the whole rota, all of one source, with at least one visit.
  RotaChanger(const std::vector<v1::ApplyChangesRequest>& imported, uint32_t seed);

  // A message of `count` changes. One record may be changed twice in it.
  v1::ApplyChangesRequest Next(int count);

 private:
  v1::RosterChange NextChange();
  void ChangeVisit(v1::RosterChange& change);
  void GiveToAnother(v1::RosterVisit& visit);
  void AddOrTakeSecondCarer(v1::RosterVisit& visit);
  v1::RosterChange NewVisit();
  // A carer of the visit's branch who is not on it yet; empty where there is none.
  std::string AnotherCarer(const v1::RosterVisit& visit);
  size_t Random(size_t below) { return std::uniform_int_distribution<size_t>(0, below - 1)(random_); }

  std::mt19937 random_;
  uint64_t made_ = 0;
  std::vector<v1::RosterChange> visits_;
  std::vector<v1::RosterChange> people_;
  std::vector<v1::RosterChange> carers_;
};

// Visits that belong to one carer each, so that a change of them concerns its devices and nobody else's. Not
// thread-safe.
class PrivateVisits {
 public:
  // `count` visits for each of `carers` (external IDs), with service users of the imported rota.
  PrivateVisits(const std::vector<v1::ApplyChangesRequest>& imported, const std::vector<std::string>& carers,
                int count);

  // Changes the notes of all visits; the first call makes them. In messages of at most 100.
  std::vector<v1::ApplyChangesRequest> ChangeAll();
  // Changes the notes of the next one, or of the next `count`, in turn; only after ChangeAll.
  v1::ApplyChangesRequest ChangeOne() { return Change(1); }
  v1::ApplyChangesRequest Change(int count);
  // From the next change on it begins at `start`, in whole seconds, and lasts for half an hour. `index` is its place in
  // turn.
  void MoveTo(size_t index, absl::Time start);
  size_t count() const { return visits_.size(); }
  // As it was changed last.
  const v1::RosterChange& visit(size_t index) const { return visits_[index]; }

 private:
  void SetNotes(v1::RosterChange& visit);

  std::vector<v1::RosterChange> visits_;
  uint64_t made_ = 0;
  size_t next_ = 0;
};

// The rota's visits again, on ever later days. Not thread-safe.
class ComingDays {
 public:
  // As RotaChanger.
  explicit ComingDays(const std::vector<v1::ApplyChangesRequest>& imported);

  // A message of `count` new visits.
  v1::ApplyChangesRequest Next(int count);

 private:
  std::vector<v1::RosterChange> visits_;
  size_t next_ = 0;
  int day_ = 1;
};

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_ROTA_CHANGER_H_
