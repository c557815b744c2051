#include "loadtest/rota_plan.h"

#include <utility>

#include "absl/time/clock.h"
#include "server/base/status_macros.h"
#include "tools/caresync/files.h"
#include "tools/caresync/rota_import.h"

namespace caresync::loadtest {

absl::StatusOr<std::vector<v1::ApplyChangesRequest>> PlanRotas(const Options& options, const std::string& source) {
  std::vector<v1::ApplyChangesRequest> requests;
  const absl::Time midnight = absl::FromCivil(options.date, absl::UTCTimeZone());
  for (const std::string& file : options.rotas) {
    ASSIGN_OR_RETURN(const std::string json, cli::ReadFile(file, cli::kRotaBytes));
    ASSIGN_OR_RETURN(cli::RotaPlan plan, cli::PlanRota(file, json, {source, options.date, midnight, absl::Now()}));
    for (v1::ApplyChangesRequest& request : plan.requests) requests.push_back(std::move(request));
  }
  return requests;
}

}  // namespace caresync::loadtest
