// What MismatchService refuses.
#include <functional>
#include <string>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "caresync/v1/mismatches.grpc.pb.h"
#include "gtest/gtest.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "tests/rpc/refused_request_test.h"

namespace caresync::rpc {
namespace {

using access::Role;
using integration::As;

namespace limits = base::limits;

TEST_F(RefusedRequestTest, ListMismatches) {
  using Request = v1::ListMismatchesRequest;
  const auto reason = [&](const std::function<void(Request&)>& change, const std::string& tenant = "acme") {
    return ReasonOf(&v1::MismatchService::Stub::ListMismatches, change, As(Role::kSupport, tenant));
  };
  EXPECT_EQ(reason([](Request&) {}), "");
  EXPECT_EQ(reason([](Request& r) { r.set_carer_id("ann"); }), "INVALID_FIELD carer_id");
  EXPECT_EQ(reason([](Request& r) { r.set_branch_id("north"); }), "INVALID_FIELD branch_id");
  EXPECT_EQ(reason([](Request& r) { r.mutable_changed_from_time()->set_nanos(-1); }),
            "INVALID_FIELD changed_from_time");
  EXPECT_EQ(reason([](Request& r) { r.mutable_changed_until_time()->set_nanos(-1); }),
            "INVALID_FIELD changed_until_time");
  EXPECT_EQ(reason([](Request& r) {
              r.set_group(true);
              r.set_ended(true);
            }),
            "INVALID_FIELD group");
  EXPECT_EQ(reason([](Request& r) { r.set_page_size(-1); }), "INVALID_FIELD page_size");
  EXPECT_EQ(reason([](Request& r) { r.set_page_size(limits::kPageSizeMost + 1); }), "INVALID_FIELD page_size");
  EXPECT_EQ(reason([](Request& r) { r.set_page_token("nonsense"); }), "PAGE_TOKEN_NOT_VALID");
  EXPECT_EQ(reason([&](Request& r) { r.set_page_token(TokenOfCarers()); }), "PAGE_TOKEN_NOT_VALID");
}

TEST_F(RefusedRequestTest, CloseMismatch) {
  using Request = v1::CloseMismatchRequest;
  const auto reason = [&](const std::function<void(Request&)>& change) {
    Request right;
    right.set_carer_id(kNobody);
    right.set_visit_id(kNobody);
    return ReasonOf(&v1::MismatchService::Stub::CloseMismatch, change, As(Role::kCoordinator, "acme"), right);
  };
  EXPECT_EQ(reason([](Request&) {}), "MISMATCH_UNKNOWN");
  EXPECT_EQ(reason([](Request& r) { r.set_carer_id("ann"); }), "INVALID_FIELD carer_id");
  EXPECT_EQ(reason([](Request& r) { r.set_visit_id(""); }), "INVALID_FIELD visit_id");
  EXPECT_EQ(reason([](Request& r) { r.set_note(std::string(limits::kMismatchNoteCharacters + 1, 'a')); }),
            "INVALID_FIELD note");
}

TEST_F(RefusedRequestTest, SnoozeMismatch) {
  using Request = v1::SnoozeMismatchRequest;
  const auto reason = [&](const std::function<void(Request&)>& change) {
    Request right;
    right.set_carer_id(kNobody);
    right.set_visit_id(kNobody);
    *right.mutable_until_time() = base::ToTimestamp(absl::Now() + absl::Hours(1));
    return ReasonOf(&v1::MismatchService::Stub::SnoozeMismatch, change, As(Role::kCoordinator, "acme"), right);
  };
  EXPECT_EQ(reason([](Request&) {}), "MISMATCH_UNKNOWN");
  EXPECT_EQ(reason([](Request& r) { r.set_carer_id("ann"); }), "INVALID_FIELD carer_id");
  EXPECT_EQ(reason([](Request& r) { r.clear_until_time(); }), "INVALID_FIELD until_time");
  EXPECT_EQ(reason([](Request& r) { *r.mutable_until_time() = base::ToTimestamp(absl::Now() + absl::Hours(25)); }),
            "INVALID_FIELD until_time");
  EXPECT_EQ(reason([](Request& r) { *r.mutable_until_time() = base::ToTimestamp(absl::Now() - absl::Hours(1)); }),
            "INVALID_FIELD until_time");
}

TEST_F(RefusedRequestTest, ReopenMismatch) {
  using Request = v1::ReopenMismatchRequest;
  const auto reason = [&](const std::function<void(Request&)>& change) {
    Request right;
    right.set_carer_id(kNobody);
    right.set_visit_id(kNobody);
    return ReasonOf(&v1::MismatchService::Stub::ReopenMismatch, change, As(Role::kCoordinator, "acme"), right);
  };
  EXPECT_EQ(reason([](Request&) {}), "MISMATCH_UNKNOWN");
  EXPECT_EQ(reason([](Request& r) { r.set_visit_id("visit"); }), "INVALID_FIELD visit_id");
}

TEST_F(RefusedRequestTest, WatchMismatches) {
  const auto reason = [&](const std::string& token) {
    const auto context = client_.Context(As(Role::kSupport, "acme"));
    v1::WatchMismatchesRequest request;
    request.set_resume_token(token);
    const auto stub = v1::MismatchService::NewStub(client_.channel());
    return EndOf<v1::WatchMismatchesResponse>(*stub->WatchMismatches(context.get(), request));
  };
  EXPECT_EQ(reason(""), "");
  EXPECT_EQ(reason("nonsense"), "TOKEN_NOT_VALID");
  EXPECT_EQ(reason(TokenOfCarers()), "TOKEN_NOT_VALID");
}

}  // namespace
}  // namespace caresync::rpc
