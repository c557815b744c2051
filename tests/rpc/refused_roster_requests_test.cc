// What RosterService refuses; what ApplyChanges refuses of single changes is in tests/roster/.
#include <functional>
#include <string>

#include "gtest/gtest.h"
#include "server/base/limits.h"
#include "tests/rpc/refused_request_test.h"

namespace caresync::rpc {
namespace {

using access::Role;
using integration::As;

namespace limits = base::limits;

TEST_F(RefusedRequestTest, ListCarers) {
  using Request = v1::ListCarersRequest;
  const auto reason = [&](const std::function<void(Request&)>& change) {
    return ReasonOf(&v1::RosterService::Stub::ListCarers, change, As(Role::kRostering, "acme", "rota"));
  };
  EXPECT_EQ(reason([&](Request& r) { r.set_page_token(TokenOfCarers()); }), "");
  EXPECT_EQ(reason([](Request& r) { r.set_page_size(limits::kPageSizeMost + 1); }), "INVALID_FIELD page_size");
  EXPECT_EQ(reason([](Request& r) { r.set_search(std::string(limits::kSearchBytes + 1, 'a')); }),
            "INVALID_FIELD search");
  EXPECT_EQ(reason([](Request& r) { r.set_page_token("nonsense"); }), "PAGE_TOKEN_NOT_VALID");
  EXPECT_EQ(reason([&](Request& r) {
              r.set_page_token(TokenOfCarers());
              r.set_search("ann");
            }),
            "PAGE_TOKEN_NOT_VALID");
}

TEST_F(RefusedRequestTest, StreamCareEvents) {
  const auto reason = [&](const std::string& subject, const std::string& token) {
    const auto context = client_.Context(As(Role::kRostering, "acme", subject));
    v1::StreamCareEventsRequest request;
    request.set_resume_token(token);
    return EndOf<v1::StreamCareEventsResponse>(*client_.roster().StreamCareEvents(context.get(), request));
  };
  EXPECT_EQ(reason("rota", ""), "");
  EXPECT_EQ(reason("A Source", ""), "INVALID_FIELD source");
  EXPECT_EQ(reason("rota", TokenOfCarers()), "TOKEN_NOT_VALID");
}

TEST_F(RefusedRequestTest, StreamDeliveries) {
  const auto reason = [&](const std::string& subject, const std::string& token) {
    const auto context = client_.Context(As(Role::kRostering, "acme", subject));
    v1::StreamDeliveriesRequest request;
    request.set_resume_token(token);
    return EndOf<v1::StreamDeliveriesResponse>(*client_.roster().StreamDeliveries(context.get(), request));
  };
  EXPECT_EQ(reason("rota", ""), "");
  EXPECT_EQ(reason("A Source", ""), "INVALID_FIELD source");
  EXPECT_EQ(reason("rota", TokenOfCarers()), "TOKEN_NOT_VALID");
}

TEST_F(RefusedRequestTest, ApplyChangesSaysWhatItHasSeenInItsFirstMessageOnly) {
  const auto context = client_.Context(As(Role::kRostering, "acme", "rota"));
  const auto stream = client_.roster().ApplyChanges(context.get());
  v1::ApplyChangesRequest request;
  request.mutable_last_commit_seen()->set_revision(1);
  stream->Write({});
  stream->Write(request);
  stream->WritesDone();
  EXPECT_EQ(EndOf<v1::ApplyChangesResponse>(*stream), "INVALID_FIELD last_commit_seen");
}

}  // namespace
}  // namespace caresync::rpc
