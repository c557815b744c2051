// Turns a published rota (JSON: services, patients, caregivers, routes; minutes from the start of the working day) into
// the changes that a rostering system would send.
//
// Pure functions; safe from any thread.
#ifndef CARESYNC_TOOLS_CARESYNC_ROTA_IMPORT_H_
#define CARESYNC_TOOLS_CARESYNC_ROTA_IMPORT_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "caresync/v1/roster.pb.h"

namespace caresync::cli {

// The largest file of a rota that is read: more than a hundred times the largest of demo/rotas.
inline constexpr size_t kRotaBytes = size_t{16} * 1024 * 1024;

struct RotaPlan {
  // The rota's own name, such as 000-cosenza.
  std::string name;
  size_t carers = 0;
  size_t idle_carers = 0;
  size_t service_users = 0;
  size_t visits = 0;
  size_t double_up_visits = 0;
  // In an order in which no change waits for a later one; each within the bounds of a message.
  std::vector<v1::ApplyChangesRequest> requests;
  // Of service users whom no route visits there is no visit. An earlier rota of the day may have had one: for each, the
  // change that cancels it. It lacks the assignments, which the store alone has; it is in none of `requests`.
  std::vector<v1::RosterChange> unvisited;
};

struct RotaSettings {
  std::string source;
  absl::CivilDay date;
  // The start of the working day.
  absl::Time day_start;
  // Evidence of the delay; no part of what is compared, so importing again changes nothing.
  absl::Time changed;
};

// Packs changes, in their order, into messages, each within its bounds.
std::vector<v1::ApplyChangesRequest> InMessages(std::vector<v1::RosterChange> changes);

// `file` names the rota in errors: ROTA_NOT_VALID, saying what is wrong where.
absl::StatusOr<RotaPlan> PlanRota(const std::string& file, const std::string& json, const RotaSettings& settings);

}  // namespace caresync::cli

#endif  // CARESYNC_TOOLS_CARESYNC_ROTA_IMPORT_H_
