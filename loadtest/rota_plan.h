// The rotas of a run as messages, without a server to send them to.
#ifndef CARESYNC_LOADTEST_ROTA_PLAN_H_
#define CARESYNC_LOADTEST_ROTA_PLAN_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "caresync/v1/roster.pb.h"
#include "loadtest/options.h"

namespace caresync::loadtest {

// Every rota file's messages for the first day, all of one `source`. Errors: those of the rota files.
absl::StatusOr<std::vector<v1::ApplyChangesRequest>> PlanRotas(const Options& options, const std::string& source);

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_ROTA_PLAN_H_
