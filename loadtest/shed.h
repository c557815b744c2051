// A call that the server had no room for.
#ifndef CARESYNC_LOADTEST_SHED_H_
#define CARESYNC_LOADTEST_SHED_H_

#include <optional>

#include "absl/time/time.h"
#include "grpcpp/support/status.h"

namespace caresync::loadtest {

// When the caller is to come back, where the server ended a call so because it has too much to do; else nullopt. Pure.
std::optional<absl::Duration> ShedFor(const grpc::Status& status);

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_SHED_H_
