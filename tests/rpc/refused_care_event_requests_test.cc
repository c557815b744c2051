// What CareEventService refuses.
#include <functional>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "caresync/v1/care_events.grpc.pb.h"
#include "gtest/gtest.h"
#include "server/base/limits.h"
#include "tests/rpc/refused_request_test.h"

namespace caresync::rpc {
namespace {

using access::Role;
using integration::As;
using CareEvents = v1::CareEventService::Stub;

namespace limits = base::limits;

TEST_F(RefusedRequestTest, ListCareEvents) {
  using Request = v1::ListCareEventsRequest;
  const auto reason = [&](const std::function<void(Request&)>& change, const std::string& tenant = "acme") {
    Request right;
    right.set_visit_id(visit_);
    return ReasonOf(&CareEvents::ListCareEvents, change, As(Role::kSupport, tenant), right);
  };
  EXPECT_EQ(reason([](Request&) {}), "");
  EXPECT_EQ(reason([](Request& r) { r.clear_visit_id(); }), "INVALID_FIELD visit_id");
  EXPECT_EQ(reason([&](Request& r) { r.set_service_user_id(service_user_); }), "INVALID_FIELD visit_id");
  EXPECT_EQ(reason([](Request& r) { r.set_visit_id("visit"); }), "INVALID_FIELD visit_id");
  EXPECT_EQ(reason([](Request& r) { r.set_visit_id(kNobody); }), "VISIT_UNKNOWN");
  EXPECT_EQ(reason([](Request&) {}, "other"), "VISIT_UNKNOWN");
  const auto of_service_user = [](const std::string& id) {
    return [=](Request& r) {
      r.clear_visit_id();
      r.set_service_user_id(id);
    };
  };
  EXPECT_EQ(reason(of_service_user("mary")), "INVALID_FIELD service_user_id");
  EXPECT_EQ(reason(of_service_user(visit_)), "SERVICE_USER_UNKNOWN");
  EXPECT_EQ(reason([](Request& r) { r.set_carer_id("ann"); }), "INVALID_FIELD carer_id");
  EXPECT_EQ(reason([](Request& r) { r.set_page_size(-1); }), "INVALID_FIELD page_size");
  EXPECT_EQ(reason([](Request& r) { r.set_page_token("nonsense"); }), "PAGE_TOKEN_NOT_VALID");
  EXPECT_EQ(reason([&](Request& r) { r.set_page_token(TokenOfCarers()); }), "PAGE_TOKEN_NOT_VALID");
}

TEST_F(RefusedRequestTest, ListEventsForReview) {
  using Request = v1::ListEventsForReviewRequest;
  const auto reason = [&](const std::function<void(Request&)>& change) {
    return ReasonOf(&CareEvents::ListEventsForReview, change, As(Role::kSupport, "acme"));
  };
  EXPECT_EQ(reason([](Request&) {}), "");
  EXPECT_EQ(reason([](Request& r) { r.set_reason(static_cast<v1::ReviewReason>(99)); }), "INVALID_FIELD reason");
  EXPECT_EQ(reason([](Request& r) { r.set_carer_id("ann"); }), "INVALID_FIELD carer_id");
  EXPECT_EQ(reason([](Request& r) { r.set_page_size(limits::kPageSizeMost + 1); }), "INVALID_FIELD page_size");
  EXPECT_EQ(reason([](Request& r) { r.set_page_token("nonsense"); }), "PAGE_TOKEN_NOT_VALID");
  EXPECT_EQ(reason([&](Request& r) { r.set_page_token(TokenOfCarers()); }), "PAGE_TOKEN_NOT_VALID");
}

TEST_F(RefusedRequestTest, ResolveEvent) {
  using Request = v1::ResolveEventRequest;
  // A name that an event for review could have: a digest, then the event's ID.
  const std::string name = absl::WebSafeBase64Escape(absl::StrCat(std::string(32, 'd'), kDevice));
  const auto reason = [&](const std::function<void(Request&)>& change) {
    Request right;
    right.set_review_id(name);
    right.mutable_apply_to_visit();
    return ReasonOf(&CareEvents::ResolveEvent, change, As(Role::kCoordinator, "acme"), right);
  };
  EXPECT_EQ(reason([](Request&) {}), "REVIEW_UNKNOWN");
  EXPECT_EQ(reason([](Request& r) { r.set_review_id(""); }), "INVALID_FIELD review_id");
  EXPECT_EQ(reason([](Request& r) { r.set_review_id("?"); }), "INVALID_FIELD review_id");
  EXPECT_EQ(reason([](Request& r) { r.clear_resolution(); }), "INVALID_FIELD resolution");
  EXPECT_EQ(reason([](Request& r) { r.mutable_apply_to_visit()->set_visit_id("visit"); }),
            "INVALID_FIELD apply_to_visit.visit_id");
  EXPECT_EQ(reason([](Request& r) { r.mutable_accept_as_unplanned()->set_service_user_id("mary"); }),
            "INVALID_FIELD accept_as_unplanned.service_user_id");
  EXPECT_EQ(reason([](Request& r) { r.mutable_discard(); }), "INVALID_FIELD discard.reason");
  EXPECT_EQ(reason([](Request& r) {
              r.mutable_discard()->set_reason(std::string(limits::kDiscardReasonCharacters + 1, 'a'));
            }),
            "INVALID_FIELD discard.reason");
}

}  // namespace
}  // namespace caresync::rpc
