// Why a count and sum may be other than they should be: what is tried first when a client's sum is wrong.
#ifndef CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_SUM_REASONS_H_
#define CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_SUM_REASONS_H_

#include <functional>
#include <string>

#include "tools/caresync/check_client/copies.h"

namespace caresync::cli::check {

// `seen` is not the sum of `expected`. What would explain it, in words ("as if v1 were still held"); empty where
// nothing that is known does. `shown` tells a record to people.
std::string ExplainSum(const v1::CopySum& seen, const HeldRecords& expected, const Copies& copies,
                       const std::function<std::string(const RecordName&)>& shown);

}  // namespace caresync::cli::check

#endif  // CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_SUM_REASONS_H_
