#include "server/outbox/smtp_mailer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/errors.h"
#include "tests/outbox/mail_server.h"

namespace caresync::outbox {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

Mail MailTo(const std::string& to) {
  return {.to = to,
          .subject = "A visit is at risk",
          .text = "Ask Zoë for a sync.\n.\nThat was a dot.\n",
          .id = "1d6a2f3e-5b0c-4a0e-9a3c-2f1f0f6f7e11",
          .time = absl::FromUnixSeconds(1'772'431'200)};
}

SmtpServer ServerAt(const std::string& url) {
  return {.url = url, .from = "caresync@example.org", .user = "", .password = ""};
}

std::future<SendResult> Begin(SmtpMailer& mailer, Mail mail) {
  auto promise = std::make_shared<std::promise<SendResult>>();
  mailer.Send(std::move(mail), [promise](SendResult result) { promise->set_value(std::move(result)); });
  return promise->get_future();
}

SendResult Send(const std::string& url, Mail mail, const SmtpBounds& bounds = {}) {
  SmtpMailer mailer(ServerAt(url), bounds);
  return Begin(mailer, std::move(mail)).get();
}

TEST(SmtpMailer, GivesTheServerTheMessage) {
  const fakes::MailServer server;
  const SendResult result = Send(server.Url(), MailTo("office@example.org"));
  EXPECT_EQ(result.outcome, SendOutcome::kTaken) << result.what;
  ASSERT_THAT(server.given(), SizeIs(1));
  const fakes::GivenMail mail = server.given()[0];
  EXPECT_THAT(mail.said, Contains(StartsWith("MAIL FROM:<caresync@example.org>")));
  EXPECT_THAT(mail.said, Contains(StartsWith("RCPT TO:<office@example.org>")));
  EXPECT_THAT(mail.message, HasSubstr("From: <caresync@example.org>\r\n"));
  EXPECT_THAT(mail.message, HasSubstr("To: <office@example.org>\r\n"));
  EXPECT_THAT(mail.message, HasSubstr("Subject: A visit is at risk\r\n"));
  EXPECT_THAT(mail.message, HasSubstr("Date: Mon, 02 Mar 2026 06:00:00 +0000\r\n"));
  EXPECT_THAT(mail.message, HasSubstr("Message-ID: <1d6a2f3e-5b0c-4a0e-9a3c-2f1f0f6f7e11@example.org>\r\n"));
  EXPECT_THAT(mail.message, HasSubstr("Content-Type: text/plain; charset=utf-8\r\n"));
  EXPECT_THAT(mail.message, HasSubstr("Ask Zo=C3=AB for a sync.\r\n"));
  EXPECT_THAT(mail.message, HasSubstr("That was a dot.\r\n"));
}

TEST(SmtpMailer, NothingInASubjectBeginsAnotherHeader) {
  const fakes::MailServer server;
  Mail mail = MailTo("office@example.org");
  mail.subject = "A visit\r\nBcc: other@example.org\r\n\r\nis at risk";
  EXPECT_EQ(Send(server.Url(), mail).outcome, SendOutcome::kTaken);
  ASSERT_THAT(server.given(), SizeIs(1));
  EXPECT_THAT(server.given()[0].message, Not(HasSubstr("\nBcc:")));
  EXPECT_THAT(server.given()[0].message, HasSubstr("Subject: A visit  Bcc: other@example.org"));
}

TEST(SmtpMailer, WhatIsNoAddressIsNotSpokenOf) {
  const fakes::MailServer server;
  const SendResult result = Send(server.Url(), MailTo("office@example.org>\r\nRCPT TO:<other@example.org"));
  EXPECT_EQ(result.outcome, SendOutcome::kFailed);
  EXPECT_THAT(server.given(), IsEmpty());
}

TEST(SmtpMailer, ARefusalIsAFailureThatNamesTheCode) {
  const fakes::MailServer refuses({.to_recipient = "550 No such user"});
  SendResult result = Send(refuses.Url(), MailTo("office@example.org"));
  EXPECT_EQ(result.outcome, SendOutcome::kFailed);
  EXPECT_EQ(result.what, "the mail server answered 550");
  const fakes::MailServer later({.to_data = "451 Try again later"});
  result = Send(later.Url(), MailTo("office@example.org"));
  EXPECT_EQ(result.outcome, SendOutcome::kFailed);
  EXPECT_EQ(result.what, "the mail server answered 451");
}

TEST(SmtpMailer, AServerThatDropsTheConnectionHasNotTakenIt) {
  const fakes::MailServer early({.to_recipient = ""});
  EXPECT_EQ(Send(early.Url(), MailTo("office@example.org")).outcome, SendOutcome::kFailed);
  const fakes::MailServer late({.to_data = ""});
  EXPECT_EQ(Send(late.Url(), MailTo("office@example.org")).outcome, SendOutcome::kFailed);
}

TEST(SmtpMailer, AServerThatHangsIsGivenUpInTime) {
  const fakes::MailServer server({.greeting = ""});
  const SendResult result = Send(server.Url(), MailTo("office@example.org"), {.time = absl::Milliseconds(200)});
  EXPECT_EQ(result.outcome, SendOutcome::kFailed);
  EXPECT_THAT(result.what, StartsWith("the mail server did not take it within"));
}

TEST(SmtpMailer, WithCredentialsNothingIsSentWithoutTls) {
  const fakes::MailServer server;
  SmtpServer with = ServerAt(server.Url());
  with.user = "caresync";
  with.password = "hunter2";
  SmtpMailer mailer(with);
  const SendResult result = Begin(mailer, MailTo("office@example.org")).get();
  EXPECT_EQ(result.outcome, SendOutcome::kFailed);
  EXPECT_THAT(result.what, Not(HasSubstr("hunter2")));
  EXPECT_THAT(server.given(), IsEmpty());
}

TEST(SmtpMailer, PastItsRoomAMailIsNotTried) {
  const fakes::MailServer server({.greeting = ""});
  std::promise<SendResult> first_result;
  std::atomic_flag told;
  // There is room for the one that is being sent, and for the one that waits.
  SmtpMailer mailer(ServerAt(server.Url()), {.queued = 1});
  for (int i = 0; i < 3; ++i) {
    mailer.Send(MailTo("office@example.org"), [&](SendResult result) {
      if (!told.test_and_set()) first_result.set_value(std::move(result));
    });
  }
  // Of the second or the third: the mailer takes the first up when it comes to it.
  EXPECT_EQ(first_result.get_future().get().outcome, SendOutcome::kNotTried);
}

TEST(SmtpMailer, EndsWhileAServerHangs) {
  const fakes::MailServer server({.greeting = ""});
  const auto begun = std::chrono::steady_clock::now();
  {
    SmtpMailer mailer(ServerAt(server.Url()), {.time = absl::Minutes(5), .connect = absl::Minutes(5)});
    mailer.Send(MailTo("office@example.org"), [](const SendResult&) { FAIL() << "nobody answered"; });
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::minutes(1));
}

TEST(SmtpMailer, WhatIsWrongOfTheServerIsSaid) {
  EXPECT_TRUE(CheckSmtpServer(ServerAt("smtp://mail.example.org")).ok());
  EXPECT_TRUE(CheckSmtpServer(ServerAt("smtps://mail.example.org:465")).ok());
  EXPECT_EQ(base::Reason(CheckSmtpServer(ServerAt("http://mail.example.org"))), "INVALID_FIELD");
  EXPECT_EQ(base::Reason(CheckSmtpServer(ServerAt("smtp://user:word@mail.example.org"))), "INVALID_FIELD");
  SmtpServer nobody = ServerAt("smtp://mail.example.org");
  nobody.from = "caresync";
  EXPECT_EQ(base::Reason(CheckSmtpServer(nobody)), "INVALID_FIELD");
}

}  // namespace
}  // namespace caresync::outbox
