#include "server/outbox/outbox_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "tests/outbox/outbox_bench.h"

namespace caresync::outbox {
namespace {

namespace limits = base::limits;

class OutboxRowsTest : public OutboxBench {};

TEST_F(OutboxRowsTest, AChangeThatFailsPutsNothingIn) {
  const auto failed = engine_.Run(tenant_, [this](commit::Transaction& transaction) -> absl::Status {
    RETURN_IF_ERROR(PutNotice(transaction, {"push", Phone(1).ToString(), "{}"}, engine_.random()).status());
    return base::errors::CommitConflict();
  });
  EXPECT_EQ(base::Reason(failed.status()), "COMMIT_CONFLICT");
  EXPECT_EQ(Outbox().waiting(), 0u);
  EXPECT_EQ(sent(), 0u);
}

TEST_F(OutboxRowsTest, PastTheBoundTheCallerIsToldToComeBack) {
  const auto filled = engine_.Run(tenant_, [this](commit::Transaction& transaction) -> absl::Status {
    for (uint64_t i = 0; i < limits::kOutboxWaiting; ++i) {
      RETURN_IF_ERROR(PutNotice(transaction, {"push", Phone(1).ToString(), "{}"}, engine_.random()).status());
    }
    return absl::OkStatus();
  });
  ASSERT_TRUE(filled.ok()) << filled.status();
  EXPECT_EQ(AskToWake(2), "OUTBOX_FULL");
  Answer(0, SendOutcome::kTaken);
  EXPECT_EQ(AskToWake(2), "");
}

TEST_F(OutboxRowsTest, OfThoseThatWereGivenUpTheOldestGo) {
  const auto buried = engine_.Run(tenant_, [this](commit::Transaction& transaction) -> absl::Status {
    for (uint64_t i = 0; i < limits::kDeadNotices + 2; ++i) {
      ASSIGN_OR_RETURN(const uint64_t number,
                       PutNotice(transaction, {"push", absl::StrCat(i), "{}"}, engine_.random()));
      ASSIGN_OR_RETURN(const std::optional<store::OutboxNotice> notice, ReadNotice(transaction, tenant_, number));
      RETURN_IF_ERROR(BuryNotice(transaction, number, notice.value()));
    }
    return absl::OkStatus();
  });
  ASSERT_TRUE(buried.ok()) << buried.status();
  EXPECT_EQ(Outbox().waiting(), 0u);
  EXPECT_EQ(Outbox().dead(), limits::kDeadNotices);
  const std::vector<v1::OutboxNotice> listed = Listed(true);
  ASSERT_EQ(listed.size(), limits::kDeadNotices);
  EXPECT_EQ(listed.front().subject(), "2");
  EXPECT_EQ(listed.back().subject(), absl::StrCat(limits::kDeadNotices + 1));
}

TEST_F(OutboxRowsTest, AreListedInPages) {
  for (int phone = 1; phone <= 5; ++phone) AskToWake(phone);
  v1::ListOutboxRequest request;
  request.set_page_size(2);
  std::vector<std::string> subjects;
  int pages = 0;
  do {
    const auto page = ListOutbox(*engine_.Snapshot(), tenant_, request);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const v1::OutboxNotice& notice : page->notices()) subjects.push_back(notice.subject());
    request.set_page_token(page->next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_EQ(pages, 3);
  EXPECT_THAT(subjects, testing::ElementsAre(Phone(1).ToString(), Phone(2).ToString(), Phone(3).ToString(),
                                             Phone(4).ToString(), Phone(5).ToString()));
  request.set_page_token(ListOutbox(*engine_.Snapshot(), tenant_, request)->next_page_token());
  request.set_given_up(true);
  EXPECT_EQ(base::Reason(ListOutbox(*engine_.Snapshot(), tenant_, request).status()), "PAGE_TOKEN_NOT_VALID");
}

TEST_F(OutboxRowsTest, WhatIsListedSaysWhatItIs) {
  AskToWake(1);
  const v1::OutboxNotice listed = Listed(false).at(0);
  EXPECT_EQ(listed.kind(), "push");
  EXPECT_EQ(listed.subject(), Phone(1).ToString());
  EXPECT_EQ(listed.create_time().seconds(), absl::ToUnixSeconds(engine_.clock().Now()));
  EXPECT_EQ(listed.next_try_time().seconds(), absl::ToUnixSeconds(engine_.clock().Now() + limits::kSendLease));
  EXPECT_EQ(listed.failures(), 0u);
}

}  // namespace
}  // namespace caresync::outbox
