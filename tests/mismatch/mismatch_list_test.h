// What tests of the list of mismatches stand on: the list as an agency's office asks for it, and a phone whose carer's
// visit was moved.
#ifndef CARESYNC_TESTS_MISMATCH_MISMATCH_LIST_TEST_H_
#define CARESYNC_TESTS_MISMATCH_MISMATCH_LIST_TEST_H_

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "caresync/store/mismatch.pb.h"
#include "caresync/store/stored.pb.h"
#include "caresync/v1/devices.pb.h"
#include "caresync/v1/mismatches.pb.h"
#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/commit/transaction.h"
#include "server/mismatch/mismatch_list.h"
#include "server/mismatch/mismatch_rows.h"
#include "tests/mismatch/mismatch_bench.h"
#include "tests/records/sample_records.h"

namespace caresync::mismatch {

// Branches.
inline constexpr char kNorth[] = "20000000-0000-4000-8000-000000000001";
inline constexpr char kSouth[] = "20000000-0000-4000-8000-000000000002";

class MismatchListTest : public testing::Test {
 protected:
  devices::AsOf Now() { return {.syncs = {.opening = bench_.timeline()}, .now = bench_.clock().Now()}; }
  absl::StatusOr<v1::ListMismatchesResponse> List(const v1::ListMismatchesRequest& request) {
    return ListMismatches(*bench_.Snapshot(), bench_.tenant(), request, Now());
  }
  // All on the first page.
  std::vector<v1::Mismatch> All(const v1::ListMismatchesRequest& request = {}) {
    const auto response = List(request);
    EXPECT_TRUE(response.ok()) << response.status();
    if (!response.ok()) return {};
    EXPECT_EQ(response->next_page_token(), "");
    return {response->mismatches().begin(), response->mismatches().end()};
  }
  v1::Mismatch Only(const v1::ListMismatchesRequest& request = {}) {
    const std::vector<v1::Mismatch> all = All(request);
    EXPECT_EQ(all.size(), 1u);
    return all.empty() ? v1::Mismatch() : all.front();
  }
  std::string ErrorOf(const v1::ListMismatchesRequest& request) { return base::Reason(List(request).status()); }

  // Which visit it is of.
  static int NumberOf(const v1::Mismatch& mismatch) {
    for (int number = 1; number < 100; ++number) {
      if (mismatch.visit_id() == records::VisitName(number).id.ToString()) return number;
    }
    return 0;
  }
  static std::vector<int> NumbersOf(const std::vector<v1::Mismatch>& mismatches) {
    std::vector<int> numbers;
    for (const v1::Mismatch& mismatch : mismatches) numbers.push_back(NumberOf(mismatch));
    return numbers;
  }
  std::vector<int> Paged(v1::ListMismatchesRequest request) {
    std::vector<int> numbers;
    do {
      const auto page = List(request);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) break;
      EXPECT_LE(page->mismatches_size(), request.page_size());
      for (const v1::Mismatch& mismatch : page->mismatches()) numbers.push_back(NumberOf(mismatch));
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    return numbers;
  }
  // All on the first page.
  std::vector<v1::MismatchGroup> Groups() {
    v1::ListMismatchesRequest request;
    request.set_group(true);
    const auto response = List(request);
    EXPECT_TRUE(response.ok()) << response.status();
    if (!response.ok()) return {};
    EXPECT_EQ(response->next_page_token(), "");
    EXPECT_EQ(response->mismatches_size(), 0);
    return {response->groups().begin(), response->groups().end()};
  }
  // As many rows as one page looks at, of carer 1, and behind them one of carer 2. Without visits.
  void PutMoreThanASearchReaches() {
    const int most = static_cast<int>(base::limits::kSearchedRows);
    for (int from = 0; from <= most; from += 2'000) {
      const auto put = bench_.Run([&](commit::Transaction& transaction) -> absl::Status {
        for (int i = from; i < std::min(from + 2'000, most + 1); ++i) {
          store::Mismatch row;
          row.set_state(store::Mismatch::OPEN);
          row.mutable_now()->set_start_us(absl::ToUnixMicros(At(9)) + i);
          row.mutable_now()->set_end_us(absl::ToUnixMicros(At(10)) + i);
          row.set_last_change_us(absl::ToUnixMicros(At(6)));
          row.set_opened_us(absl::ToUnixMicros(At(6)));
          RETURN_IF_ERROR(PutMismatch(transaction, MismatchBench::Of(i < most ? 1 : 2, i), std::nullopt, row));
        }
        return absl::OkStatus();
      });
      ASSERT_TRUE(put.ok()) << put.status();
    }
  }
  static v1::ListMismatchesRequest OfResolved() {
    v1::ListMismatchesRequest request;
    request.set_ended(true);
    return request;
  }

  // Carer 1 uses device 1, a Pixel 6 that last synced at 05:00, and called once more at 05:30.
  void PutPixel() {
    bench_.SignIn(1, 1);
    bench_.PutReport(1, [](store::DeviceReport& report) {
      report.set_device_name("Pixel 6");
      report.set_last_success_us(absl::ToUnixMicros(At(5)));
    });
    bench_.PutCopy(1, 1, [](store::DeviceCopy& copy) { copy.set_last_success_us(absl::ToUnixMicros(At(5))); });
    bench_.AcknowledgeAll(1, 1);
    Call(At(5, 30));
  }
  // The carer uses the device of the same number, which has all and synced last then.
  void PutPhone(int carer, absl::Time last_sync) {
    bench_.SignIn(carer, carer);
    bench_.PutReport(carer,
                     [&](store::DeviceReport& report) { report.set_last_success_us(absl::ToUnixMicros(last_sync)); });
    bench_.PutCopy(carer, carer,
                   [&](store::DeviceCopy& copy) { copy.set_last_success_us(absl::ToUnixMicros(last_sync)); });
    bench_.AcknowledgeAll(carer, carer);
  }
  void Call(absl::Time time) {
    store::DeviceCall call;
    call.set_time_us(absl::ToUnixMicros(time));
    call.set_state(v1::CALL_STATE_SUCCEEDED);
    call.set_opening(bench_.timeline());
    bench_.PutDeviceRow(1, base::keys::DevicePart::kCall, call.SerializeAsString());
  }
  // A visit of carer 1 at nine that the Pixel has acknowledged, moved to eleven at 06:05: open since 06:25.
  void OpenMovedVisit() {
    PutPixel();
    bench_.Put({VisitAt(1, At(9))});
    bench_.AcknowledgeAll(1, 1);
    bench_.AdvanceTo(At(6, 5));
    bench_.Put({VisitAt(1, At(11))});
    bench_.AdvanceTo(At(6, 30));
    ASSERT_EQ(bench_.OpenOf(1), std::set<int>{1});
  }

  MismatchBench bench_;
};

}  // namespace caresync::mismatch

#endif  // CARESYNC_TESTS_MISMATCH_MISMATCH_LIST_TEST_H_
