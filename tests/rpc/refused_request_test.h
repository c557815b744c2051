// What tests of requests that a call refuses stand on: two agencies, one with a small rota, and how a refusal is told.
// The requests themselves are in a file for each service.
#ifndef CARESYNC_TESTS_RPC_REFUSED_REQUEST_TEST_H_
#define CARESYNC_TESTS_RPC_REFUSED_REQUEST_TEST_H_

#include <functional>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/fakes/rota.h"
#include "tests/rpc/served_edge.h"

namespace caresync::rpc {

// Nothing has either, unless a test gives it.
inline constexpr char kDevice[] = "3f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f";
inline constexpr char kNobody[] = "00000000-0000-4000-8000-000000000000";

// The agency "acme" has the rota; "other" has nothing.
class RefusedRequestTest : public testing::Test {
 protected:
  RefusedRequestTest() {
    client_.CreateTenant("acme");
    client_.CreateTenant("other");
    const auto applied =
        client_.Apply("acme", "rota",
                      {fakes::CarerChange("ann"), fakes::CarerChange("bob"), fakes::ServiceUserChange("mary"),
                       fakes::ServiceUserChange("john"), fakes::VisitChange("visit", "mary", {"ann"})});
    carer_ = applied.results(0).record_id();
    service_user_ = applied.results(2).record_id();
    other_service_user_ = applied.results(3).record_id();
    visit_ = applied.results(4).record_id();
  }

  // The reason, and with INVALID_FIELD the field; empty where the call succeeds.
  static std::string ReasonAndField(const grpc::Status& status) {
    const std::string reason = integration::ReasonOf(status);
    if (reason != "INVALID_FIELD") return reason;
    return absl::StrCat(reason, " ", status.error_message().substr(0, status.error_message().find(':')));
  }

  // The same of `request` after `change`.
  template <typename Stub, typename Request, typename Response>
  std::string ReasonOf(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                       const std::function<void(Request&)>& change, const access::Identity& caller,
                       Request request = {}) const {
    change(request);
    Stub stub(client_.channel());
    Response response;
    const grpc::Status status = (stub.*method)(client_.Context(caller).get(), request, &response);
    return ReasonAndField(status);
  }

  // The same of a stream, which it reads to its end.
  template <typename Response, typename Stream>
  static std::string EndOf(Stream& stream) {
    Response response;
    while (stream.Read(&response)) continue;
    return ReasonAndField(stream.Finish());
  }

  // Good for the second page of ListCarers.
  std::string TokenOfCarers() const {
    v1::ListCarersRequest request;
    request.set_page_size(1);
    v1::ListCarersResponse response;
    client_.Call(client_.roster(), &v1::RosterService::Stub::ListCarers,
                 integration::As(access::Role::kSupport, "acme"), request, &response);
    EXPECT_NE(response.next_page_token(), "");
    return response.next_page_token();
  }

  ServedEdge edge_;
  const integration::Client& client_ = edge_.client();
  // Of acme.
  std::string carer_;
  std::string service_user_;
  std::string other_service_user_;
  std::string visit_;
};

}  // namespace caresync::rpc

#endif  // CARESYNC_TESTS_RPC_REFUSED_REQUEST_TEST_H_
