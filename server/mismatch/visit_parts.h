// What a stored visit gives each of its carers. Pure functions and values.
#ifndef CARESYNC_SERVER_MISMATCH_VISIT_PARTS_H_
#define CARESYNC_SERVER_MISMATCH_VISIT_PARTS_H_

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "caresync/store/mismatch.pb.h"
#include "caresync/store/stored.pb.h"
#include "caresync/v1/mismatches.pb.h"
#include "server/base/uuid.h"

namespace caresync::mismatch {

// Of one version of a visit.
struct VisitParts {
  // Those of its carers whose devices are to hold it: all who are assigned, while it is published, not cancelled and
  // inside the window; else nobody.
  std::map<base::Uuid, store::VisitPart> held;
  std::set<base::Uuid> assigned;
  // The one that gives the visit. Empty: none.
  std::string branch_id;
  // Why nobody is to hold it.
  v1::VisitGone gone = v1::VISIT_GONE_UNSPECIFIED;

  // nullptr: the carer's devices are not to hold it.
  const store::VisitPart* Of(const base::Uuid& carer) const;
  // Why they are not.
  v1::VisitGone WhyGone(const base::Uuid& carer) const;
};

// nullopt: there is no such visit. Errors: DAMAGED_ROW.
absl::StatusOr<VisitParts> PartsOf(const std::optional<store::Record>& visit);

// What a device that shows what the row says is acknowledged lacks of what is planned now; at least one.
std::vector<v1::VisitChangeKind> Difference(const store::Mismatch& row);

}  // namespace caresync::mismatch

#endif  // CARESYNC_SERVER_MISMATCH_VISIT_PARTS_H_
