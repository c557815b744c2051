#include "server/outbox/http_sender.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/outbox/answering_server.h"

namespace caresync::outbox {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr WebhookRules kAllAllowed = {.allow_http = true, .allow_private = true};
constexpr auto kHangs = fakes::AnsweringServer::End::kHangs;
constexpr char kBody[] = "{\"what\":\"sync\"}";

std::future<SendResult> Begin(HttpSender& sender, const std::string& url) {
  auto promise = std::make_shared<std::promise<SendResult>>();
  sender.Send({url, {"webhook-id: 7"}, kBody}, [promise](SendResult result) { promise->set_value(std::move(result)); });
  return promise->get_future();
}

SendResult Send(const std::string& url, const WebhookRules& rules = kAllAllowed, const HttpBounds& bounds = {}) {
  HttpSender sender(rules, bounds);
  return Begin(sender, url).get();
}

std::string Answer(const std::string& status, const std::string& rest = "") {
  return absl::StrCat("HTTP/1.1 ", status, "\r\nConnection: close\r\n", rest, "\r\n");
}

TEST(HttpSender, PostsTheBodyWithItsHeaders) {
  const fakes::AnsweringServer server(Answer("204 No Content"));
  EXPECT_EQ(Send(server.Url()).outcome, SendOutcome::kTaken);
  ASSERT_THAT(server.requests(), SizeIs(1));
  const std::string request = server.requests()[0];
  EXPECT_THAT(request, testing::StartsWith("POST /push HTTP/1.1\r\n"));
  EXPECT_THAT(request, HasSubstr("\r\nwebhook-id: 7\r\n"));
  EXPECT_THAT(request, HasSubstr("\r\nContent-Type: application/json\r\n"));
  EXPECT_THAT(request, testing::EndsWith(absl::StrCat("\r\n\r\n", kBody)));
}

TEST(HttpSender, AnotherStatusIsAFailureThatNamesIt) {
  const fakes::AnsweringServer server(Answer("503 Service Unavailable"));
  const SendResult result = Send(server.Url());
  EXPECT_EQ(result.outcome, SendOutcome::kFailed);
  EXPECT_EQ(result.what, "answered 503");
}

TEST(HttpSender, ARedirectIsNotFollowed) {
  const fakes::AnsweringServer elsewhere(Answer("204 No Content"));
  const fakes::AnsweringServer server(
      Answer("307 Temporary Redirect", absl::StrCat("Location: ", elsewhere.Url(), "\r\n")));
  const SendResult result = Send(server.Url());
  EXPECT_EQ(result.outcome, SendOutcome::kFailed);
  EXPECT_THAT(result.what, HasSubstr("answered 307, a redirect"));
  EXPECT_THAT(elsewhere.requests(), IsEmpty());
}

TEST(HttpSender, TheSecondOfTwoAnswersIsNotHeard) {
  const fakes::AnsweringServer server(
      absl::StrCat("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", Answer("204 No Content")));
  const SendResult result = Send(server.Url());
  EXPECT_EQ(result.outcome, SendOutcome::kFailed);
  EXPECT_EQ(result.what, "answered 500");
}

TEST(HttpSender, OfALongAnswerTheStatusCounts) {
  const std::string lots(1024 * 1024, 'x');
  const fakes::AnsweringServer taken(absl::StrCat(Answer("200 OK"), lots));
  EXPECT_EQ(Send(taken.Url()).outcome, SendOutcome::kTaken);
  const fakes::AnsweringServer failed(absl::StrCat(Answer("500 Oops"), lots));
  EXPECT_EQ(Send(failed.Url()).what, "answered 500");
}

// Else whoever has it gets it again and again.
TEST(HttpSender, OfAnAnswerThatIsCutOffTheStatusCounts) {
  const fakes::AnsweringServer taken(Answer("200 OK", "Content-Length: 10\r\n") + "abc");
  EXPECT_EQ(Send(taken.Url()).outcome, SendOutcome::kTaken);
  const fakes::AnsweringServer failed(Answer("500 Oops", "Content-Length: 10\r\n") + "abc");
  EXPECT_EQ(Send(failed.Url()).what, "answered 500");
}

TEST(HttpSender, OfAnAnswerThatDoesNotEndTheStatusCounts) {
  constexpr HttpBounds kShort = {.time = absl::Seconds(2)};
  const fakes::AnsweringServer taken(Answer("200 OK"), kHangs);
  EXPECT_EQ(Send(taken.Url(), kAllAllowed, kShort).outcome, SendOutcome::kTaken);
  const fakes::AnsweringServer failed(Answer("500 Oops"), kHangs);
  EXPECT_EQ(Send(failed.Url(), kAllAllowed, kShort).what, "answered 500");
}

TEST(HttpSender, WhatComesBeforeAnAnswerIsNone) {
  const fakes::AnsweringServer server("HTTP/1.1 102 Processing\r\n\r\n", kHangs);
  const SendResult result = Send(server.Url(), kAllAllowed, {.time = absl::Milliseconds(500)});
  EXPECT_EQ(result.outcome, SendOutcome::kFailed);
  EXPECT_EQ(result.what, "no answer within 500ms");
}

TEST(HttpSender, OneThatHangsIsGivenUpInTime) {
  const fakes::AnsweringServer server("", kHangs);
  const SendResult result = Send(server.Url(), kAllAllowed, {.time = absl::Milliseconds(200)});
  EXPECT_EQ(result.outcome, SendOutcome::kFailed);
  EXPECT_EQ(result.what, "no answer within 200ms");
}

TEST(HttpSender, OneThatHangsHoldsNoOtherUp) {
  const fakes::AnsweringServer hanging("", kHangs);
  const fakes::AnsweringServer server(Answer("204 No Content"));
  HttpSender sender(kAllAllowed, {.time = absl::Hours(1)});
  std::future<SendResult> slow = Begin(sender, hanging.Url());
  hanging.WaitForRequests(1);
  EXPECT_EQ(Begin(sender, server.Url()).get().outcome, SendOutcome::kTaken);
  EXPECT_NE(slow.wait_for(std::chrono::seconds(0)), std::future_status::ready);
}

TEST(HttpSender, NoMoreThanSoManyAreTriedAtOnce) {
  const fakes::AnsweringServer hanging("", kHangs);
  const fakes::AnsweringServer server(Answer("204 No Content"));
  HttpSender sender(kAllAllowed, {.time = absl::Seconds(2), .at_once = 1});
  std::future<SendResult> first = Begin(sender, hanging.Url());
  // Its turn comes when the first is given up.
  EXPECT_EQ(Begin(sender, server.Url()).get().outcome, SendOutcome::kTaken);
  EXPECT_EQ(first.wait_for(std::chrono::seconds(0)), std::future_status::ready);
}

TEST(HttpSender, WhatThereIsNoRoomForIsNotTried) {
  const fakes::AnsweringServer server(Answer("204 No Content"));
  EXPECT_EQ(Send(server.Url(), kAllAllowed, {.queued = 0}).outcome, SendOutcome::kNotTried);
  EXPECT_THAT(server.requests(), IsEmpty());
}

TEST(HttpSender, WhereNobodyListensItFails) {
  std::string url;
  {
    const fakes::AnsweringServer server(Answer("204 No Content"));
    url = server.Url();
  }
  const SendResult result = Send(url);
  EXPECT_EQ(result.outcome, SendOutcome::kFailed);
  EXPECT_NE(result.what, "");
}

// Whatever the name stood for when the URL was set.
TEST(HttpSender, ANameThatStandsForTheLoopbackIsNotConnectedTo) {
  const fakes::AnsweringServer server(Answer("204 No Content"));
  for (const char* host : {"127.0.0.1", "localhost"}) {
    const SendResult result = Send(server.Url(host), {.allow_http = true});
    EXPECT_EQ(result.outcome, SendOutcome::kFailed) << host;
    EXPECT_THAT(result.what, HasSubstr("--webhooks-allow-private")) << host;
  }
  EXPECT_THAT(server.requests(), IsEmpty());
}

// What it connects to would be checked, and not where that leads.
TEST(HttpSender, NoProxyOfTheEnvironmentIsUsed) {
  const fakes::AnsweringServer proxy(Answer("204 No Content"));
  const fakes::AnsweringServer server(Answer("204 No Content"));
  for (const char* name : {"http_proxy", "all_proxy", "ALL_PROXY"}) setenv(name, proxy.Url().c_str(), 1);
  EXPECT_EQ(Send(server.Url()).outcome, SendOutcome::kTaken);
  for (const char* name : {"http_proxy", "all_proxy", "ALL_PROXY"}) unsetenv(name);
  EXPECT_THAT(server.requests(), SizeIs(1));
  EXPECT_THAT(proxy.requests(), IsEmpty());
}

TEST(HttpSender, PlainHttpIsNotSentUnlessAllowed) {
  const fakes::AnsweringServer server(Answer("204 No Content"));
  EXPECT_EQ(Send(server.Url(), {.allow_private = true}).outcome, SendOutcome::kFailed);
  EXPECT_THAT(server.requests(), IsEmpty());
}

TEST(HttpSender, EndsAtOnceWhateverIsUnderWay) {
  const fakes::AnsweringServer hanging("", kHangs);
  bool called = false;
  {
    HttpSender sender(kAllAllowed, {.time = absl::Hours(1)});
    sender.Send({hanging.Url(), {}, kBody}, [&called](const SendResult&) { called = true; });
    hanging.WaitForRequests(1);
  }
  EXPECT_FALSE(called);
}

}  // namespace
}  // namespace caresync::outbox
