// What DeliveryService refuses.
#include <functional>

#include "caresync/v1/deliveries.grpc.pb.h"
#include "gtest/gtest.h"
#include "server/base/limits.h"
#include "tests/rpc/refused_request_test.h"

namespace caresync::rpc {
namespace {

using access::Role;
using integration::As;

namespace limits = base::limits;

TEST_F(RefusedRequestTest, ExplainVisit) {
  using Request = v1::ExplainVisitRequest;
  const auto reason = [&](const std::function<void(Request&)>& change) {
    Request right;
    right.set_carer_id(kNobody);
    right.set_visit_id(kNobody);
    return ReasonOf(&v1::DeliveryService::Stub::ExplainVisit, change, As(Role::kSupport, "acme"), right);
  };
  EXPECT_EQ(reason([](Request&) {}), "CARER_UNKNOWN");
  EXPECT_EQ(reason([](Request& r) { r.set_carer_id("ann"); }), "INVALID_FIELD carer_id");
  EXPECT_EQ(reason([](Request& r) { r.set_visit_id(""); }), "INVALID_FIELD visit_id");
}

TEST_F(RefusedRequestTest, ListDeliveries) {
  using Request = v1::ListDeliveriesRequest;
  const auto reason = [&](const std::function<void(Request&)>& change) {
    Request right;
    right.set_visit_id(kNobody);
    return ReasonOf(&v1::DeliveryService::Stub::ListDeliveries, change, As(Role::kSupport, "acme"), right);
  };
  EXPECT_EQ(reason([](Request&) {}), "");
  EXPECT_EQ(reason([](Request& r) { r.clear_visit_id(); }), "INVALID_FIELD visit_id");
  EXPECT_EQ(reason([](Request& r) { r.set_carer_id("ann"); }), "INVALID_FIELD carer_id");
  EXPECT_EQ(reason([](Request& r) { r.set_device_uuid("phone"); }), "INVALID_FIELD device_uuid");
  EXPECT_EQ(reason([](Request& r) { r.mutable_committed_from_time()->set_nanos(-1); }),
            "INVALID_FIELD committed_from_time");
  EXPECT_EQ(reason([](Request& r) { r.mutable_committed_until_time()->set_nanos(-1); }),
            "INVALID_FIELD committed_until_time");
  EXPECT_EQ(reason([](Request& r) { r.set_page_size(-1); }), "INVALID_FIELD page_size");
  EXPECT_EQ(reason([](Request& r) { r.set_page_token("nonsense"); }), "PAGE_TOKEN_NOT_VALID");
}

TEST_F(RefusedRequestTest, GetDeviceView) {
  using Request = v1::GetDeviceViewRequest;
  const auto reason = [&](const std::function<void(Request&)>& change) {
    Request right;
    right.set_device_uuid(kNobody);
    right.set_carer_id(kNobody);
    return ReasonOf(&v1::DeliveryService::Stub::GetDeviceView, change, As(Role::kSupport, "acme"), right);
  };
  EXPECT_EQ(reason([](Request&) {}), "DEVICE_UNKNOWN");
  EXPECT_EQ(reason([](Request& r) { r.set_device_uuid("phone"); }), "INVALID_FIELD device_uuid");
  EXPECT_EQ(reason([](Request& r) { r.set_carer_id(""); }), "INVALID_FIELD carer_id");
  EXPECT_EQ(reason([](Request& r) { r.mutable_view_time()->set_nanos(-1); }), "INVALID_FIELD view_time");
  EXPECT_EQ(reason([](Request& r) { r.set_page_size(limits::kPageSizeMost + 1); }), "INVALID_FIELD page_size");
}

TEST_F(RefusedRequestTest, ListWaitingChanges) {
  using Request = v1::ListWaitingChangesRequest;
  const auto reason = [&](const std::function<void(Request&)>& change) {
    return ReasonOf(&v1::DeliveryService::Stub::ListWaitingChanges, change, As(Role::kSupport, "acme"), Request());
  };
  EXPECT_EQ(reason([](Request&) {}), "");
  EXPECT_EQ(reason([](Request& r) { r.set_source("Not A Source"); }), "INVALID_FIELD source");
  EXPECT_EQ(reason([](Request& r) { r.set_page_size(-1); }), "INVALID_FIELD page_size");
  EXPECT_EQ(reason([](Request& r) { r.set_page_size(limits::kPageSizeMost + 1); }), "INVALID_FIELD page_size");
  EXPECT_EQ(reason([](Request& r) { r.set_page_token("nonsense"); }), "PAGE_TOKEN_NOT_VALID");
}

}  // namespace
}  // namespace caresync::rpc
