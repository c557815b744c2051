#include "loadtest/rota_plan.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/base/status_macros.h"
#include "tools/caresync/files.h"
#include "tools/caresync/rota_import.h"

namespace caresync::loadtest {
namespace {

// When the working day of a rota starts, UTC.
constexpr int kDayStartHour = 7;

absl::Time StartOf(absl::CivilDay date) {
  return absl::FromCivil(absl::CivilHour(date) + kDayStartHour, absl::UTCTimeZone());
}

void KeepVisits(v1::ApplyChangesRequest& request) {
  auto& changes = *request.mutable_changes();
  changes.erase(std::remove_if(changes.begin(), changes.end(),
                               [](const v1::RosterChange& change) { return !change.has_visit(); }),
                changes.end());
}

absl::Status AppendRota(const std::string& file, const Options& options, const std::string& source,
                        std::vector<v1::ApplyChangesRequest>& requests) {
  ASSIGN_OR_RETURN(const std::string json, cli::ReadFile(file, cli::kRotaBytes));
  for (int day = 0; day < options.days; ++day) {
    const absl::CivilDay date = options.date + day;
    ASSIGN_OR_RETURN(cli::RotaPlan plan, cli::PlanRota(file, json, {source, date, StartOf(date), absl::Now()}));
    for (v1::ApplyChangesRequest& request : plan.requests) {
      // The people are the same every day.
      if (day > 0) KeepVisits(request);
      if (request.changes_size() > 0) requests.push_back(std::move(request));
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::string SourceName(int index) { return absl::StrCat("fleetload-", index); }

absl::StatusOr<std::vector<v1::ApplyChangesRequest>> PlanRotas(const Options& options, const std::string& source) {
  std::vector<v1::ApplyChangesRequest> requests;
  for (const std::string& file : options.rotas) RETURN_IF_ERROR(AppendRota(file, options, source, requests));
  return requests;
}

}  // namespace caresync::loadtest
