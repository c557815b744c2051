// What is kept for review, as a test sees it.
#ifndef CARESYNC_TESTS_RECORDS_REVIEW_ITEMS_H_
#define CARESYNC_TESTS_RECORDS_REVIEW_ITEMS_H_

#include <vector>

#include "caresync/store/stored.pb.h"
#include "server/base/ids.h"
#include "server/records/review.h"
#include "storage/store.h"

namespace caresync::records {

struct KeptReview {
  ReviewName name;
  store::ReviewItem item;
};

// Those that wait, or those that are resolved, in the order received. The test fails where a row is damaged.
std::vector<KeptReview> ReviewsIn(const storage::Reader& reader, const base::TenantId& tenant, bool resolved);

}  // namespace caresync::records

#endif  // CARESYNC_TESTS_RECORDS_REVIEW_ITEMS_H_
