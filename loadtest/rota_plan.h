// The rotas of a run as messages, without a server to send them to: whoever sends or writes them has the same.
#ifndef CARESYNC_LOADTEST_ROTA_PLAN_H_
#define CARESYNC_LOADTEST_ROTA_PLAN_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "caresync/v1/roster.pb.h"
#include "loadtest/options.h"

namespace caresync::loadtest {

// What the `index`-th rostering system of a run is called.
std::string SourceName(int index);

// Every rota file's messages for the days of `options`, all of one `source`, in an order in which none refers to a
// later one. The people come with the first day. Errors: those of the rota files.
absl::StatusOr<std::vector<v1::ApplyChangesRequest>> PlanRotas(const Options& options, const std::string& source);

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_ROTA_PLAN_H_
