// Finds the carers and branches that people name on the command line.
#ifndef CARESYNC_TOOLS_CARESYNC_CARER_LOOKUP_H_
#define CARESYNC_TOOLS_CARESYNC_CARER_LOOKUP_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "caresync/v1/roster.pb.h"
#include "tools/caresync/connection.h"

namespace caresync::cli {

// All pages. `search` as in ListCarersRequest.
absl::StatusOr<std::vector<v1::CarerSummary>> AllCarers(const Connection& connection, const std::string& search);

// The record ID of the carer with this record ID, external ID, or part of it after the last "/". Errors:
// CARER_NOT_FOUND, CARER_AMBIGUOUS, those of the call.
absl::StatusOr<std::string> FindCarer(const Connection& connection, const std::string& text);

// The record ID of the branch with this record ID or name. Errors: those of BranchNamed, those of the call.
absl::StatusOr<std::string> FindBranch(const Connection& connection, const std::string& text);
// The record ID of the branch of this name, ignoring ASCII case, among the branches of these carers. Errors:
// BRANCH_NOT_FOUND, BRANCH_AMBIGUOUS.
absl::StatusOr<std::string> BranchNamed(const std::vector<v1::CarerSummary>& carers, const std::string& text);
// By record ID, of all branches that have carers; none where the caller may not list carers, as an operator may not.
// Errors: those of the call.
absl::StatusOr<std::map<std::string, std::string>> BranchNames(const Connection& connection);

}  // namespace caresync::cli

#endif  // CARESYNC_TOOLS_CARESYNC_CARER_LOOKUP_H_
