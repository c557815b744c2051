// Random rota changes: new, moved, reassigned, cancelled, withdrawn visits; carers who leave and come back; employee
// groups and their members; new names; references not seen yet.
#ifndef CARESYNC_TESTS_SIMULATION_ROTA_MAKER_H_
#define CARESYNC_TESTS_SIMULATION_ROTA_MAKER_H_

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "caresync/v1/roster.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace caresync::simulation {

// Used by one thread.
class RotaMaker {
 public:
  // `random` must outlive it. The first rotas are of the day that is six hours old when the seed `begins`.
  RotaMaker(std::mt19937_64& random, absl::Time begins) : random_(random), midnight_(begins - absl::Hours(6)) {}

  static const std::vector<std::string>& Sources();
  // Of each source a carer who is not there at the beginning, by the external ID.
  static constexpr char kLateCarer[] = "late";
  // The external IDs of a source's carers who have devices from the beginning.
  static std::vector<std::string> CarersWithDevices(const std::string& source);

  // To begin with: the carers with devices, and all service users but one.
  v1::ApplyChangesRequest FirstMessage(const std::string& source);
  // The one who comes late is there, if not before.
  v1::ApplyChangesRequest LateCarer(const std::string& source);
  // All of the source's carers work there again.
  v1::ApplyChangesRequest EverybodyBack(const std::string& source);
  // One to four changes, each of another record.
  v1::ApplyChangesRequest NextMessage(const std::string& source);
  // So many visits, at most, are to be from some minutes ago to two days ahead of `now`.
  v1::ApplyChangesRequest PlanVisits(const std::string& source, absl::Time now, size_t most);
  // Cancels one of the source's visits, as it was last sent; nullopt where none that goes on is wanted.
  using IsWanted = std::function<bool(const v1::RosterChange& visit)>;
  std::optional<v1::ApplyChangesRequest> Cancel(const std::string& source, const IsWanted& is_wanted);
  // Moves one of the source's visits, as it was last sent; nullopt where none is wanted.
  std::optional<v1::ApplyChangesRequest> Move(const std::string& source, const IsWanted& is_wanted, absl::Duration by);
  // A visit that it sent goes on after all.
  v1::ApplyChangesRequest GiveBack(const std::string& source, const std::string& visit);

 private:
  size_t Below(size_t bound) { return random_() % bound; }
  bool OneIn(size_t bound) { return Below(bound) == 0; }
  std::string Text(size_t most);
  google::protobuf::Timestamp AtHour(int hour) const;
  v1::RosterChange Change(const std::string& source);
  v1::RosterChange CarerChange(const std::string& source, const std::string& branch);
  v1::RosterChange GroupChange(const std::string& source);
  v1::RosterChange VisitChange(const std::string& source);
  void Assign(const std::string& source, v1::RosterVisit& visit);
  void SetPeople(const std::string& source, v1::RosterVisit& visit);

  std::mt19937_64& random_;
  const absl::Time midnight_;
  // By source and external ID: what was last sent.
  std::map<std::pair<std::string, std::string>, v1::RosterChange> sent_;
};

}  // namespace caresync::simulation

#endif  // CARESYNC_TESTS_SIMULATION_ROTA_MAKER_H_
