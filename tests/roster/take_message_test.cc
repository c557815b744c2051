#include "server/roster/take_message.h"

#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/restore/standing.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/rota.h"

namespace caresync::roster {
namespace {

class TakeMessageTest : public testing::Test {
 protected:
  TakeMessageTest() { engine_->CreateTenant(tenant_); }

  v1::ApplyChangesRequest Message(const std::string& carer = "") {
    v1::ApplyChangesRequest request;
    if (carer.empty()) return request;
    *request.add_changes() = fakes::CarerChange(carer);
    request.mutable_changes(0)->set_source("rota");
    return request;
  }
  v1::ApplyChangesRequest MessageAfter(const v1::CommitPoint& seen, const std::string& carer = "") {
    v1::ApplyChangesRequest request = Message(carer);
    *request.mutable_last_commit_seen() = seen;
    return request;
  }
  v1::ApplyChangesResponse Send(const v1::ApplyChangesRequest& request) {
    return engine_->Send(tenant_, "rota", request);
  }
  bool Waiting() {
    return restore::StandingOf(*engine_->Snapshot(), tenant_, engine_->opening(), absl::Hours(1),
                               engine_->clock().Now())
        ->waiting;
  }
  // The next opening, of the store as it is.
  void Restart() { Open(engine_->memory().Copy()); }
  void Open(std::unique_ptr<storage::MemoryStore> memory) {
    engine_ = std::make_unique<fakes::Engine>(std::move(memory), ++openings_);
  }

  const base::TenantId tenant_ = fakes::Tenant("acme");
  uint64_t openings_ = 1;
  std::unique_ptr<fakes::Engine> engine_ = std::make_unique<fakes::Engine>();
};

TEST_F(TakeMessageTest, AKnownCommitConfirms) {
  const v1::CommitPoint seen = Send(Message("ann")).commit();
  Restart();
  EXPECT_TRUE(Waiting());
  const v1::ApplyChangesResponse response = Send(MessageAfter(seen));
  EXPECT_FALSE(response.has_store_restored());
  EXPECT_FALSE(Waiting());
}

TEST_F(TakeMessageTest, AReplayTakesNoRevisionOnceItsSourceHasConfirmed) {
  const v1::CommitPoint seen = Send(Message("ann")).commit();
  Restart();
  const v1::CommitPoint confirmed = Send(MessageAfter(seen, "ann")).commit();
  EXPECT_EQ(confirmed.revision(), seen.revision() + 1);
  EXPECT_EQ(Send(MessageAfter(seen, "ann")).commit().revision(), confirmed.revision());
  EXPECT_EQ(Send(Message("ann")).commit().revision(), confirmed.revision());
}

TEST_F(TakeMessageTest, ASourceThatOnlyReplaysTakesARevisionADay) {
  const base::Revision first = Send(Message("ann")).commit().revision();
  EXPECT_EQ(Send(Message("ann")).commit().revision(), first);
  for (base::Revision day = 1; day <= 3; ++day) {
    engine_->Advance(restore::kActivityAloneEvery);
    EXPECT_EQ(Send(Message("ann")).commit().revision(), first + day);
    EXPECT_EQ(Send(Message("ann")).commit().revision(), first + day);
  }
}

TEST_F(TakeMessageTest, AForeignCommitIsAnsweredAndTheChangesAreAppliedAllTheSame) {
  const v1::CommitPoint kept = Send(Message("ann")).commit();
  const absl::Time kept_time = engine_->clock().Now();
  std::unique_ptr<storage::MemoryStore> backup = engine_->memory().Copy();
  const v1::CommitPoint lost = Send(Message("ben")).commit();
  Open(std::move(backup));
  const v1::ApplyChangesResponse response = Send(MessageAfter(lost, "cid"));
  ASSERT_TRUE(response.has_store_restored());
  EXPECT_EQ(response.store_restored().head().revision(), kept.revision());
  EXPECT_EQ(response.store_restored().head().timeline(), kept.timeline());
  EXPECT_EQ(response.store_restored().head_time().seconds(), absl::ToUnixSeconds(kept_time));
  ASSERT_EQ(response.results_size(), 1);
  EXPECT_EQ(response.results(0).outcome(), v1::CHANGE_OUTCOME_CREATED);
  EXPECT_TRUE(Waiting());
  v1::ApplyChangesRequest last = Message("ben");
  last.set_resent(true);
  EXPECT_EQ(Send(last).results(0).outcome(), v1::CHANGE_OUTCOME_CREATED);
  EXPECT_FALSE(Waiting());
}

TEST_F(TakeMessageTest, ResentWithTheFirstMessageConfirms) {
  std::unique_ptr<storage::MemoryStore> backup = engine_->memory().Copy();
  const v1::CommitPoint lost = Send(Message("ann")).commit();
  Open(std::move(backup));
  v1::ApplyChangesRequest all = MessageAfter(lost, "ann");
  all.set_resent(true);
  EXPECT_TRUE(Send(all).has_store_restored());
  EXPECT_FALSE(Waiting());
}

TEST_F(TakeMessageTest, WhatNoStoreEverAnsweredIsForeign) {
  const v1::CommitPoint seen = Send(Message("ann")).commit();
  v1::CommitPoint above = seen;
  above.set_revision(seen.revision() + 1);
  EXPECT_TRUE(Send(MessageAfter(above)).has_store_restored()) << "above the head";
  v1::CommitPoint malformed = seen;
  malformed.set_timeline("no timeline at all");
  EXPECT_TRUE(Send(MessageAfter(malformed)).has_store_restored()) << "a malformed timeline";
  malformed.set_timeline("");
  EXPECT_TRUE(Send(MessageAfter(malformed)).has_store_restored()) << "no timeline";
  malformed = seen;
  malformed.set_revision(0);
  EXPECT_TRUE(Send(MessageAfter(malformed)).has_store_restored()) << "no revision";
}

TEST_F(TakeMessageTest, AnEmptyCommitSaysThatNoneWasSeen) {
  Send(Message("ann"));
  Restart();
  EXPECT_FALSE(Send(MessageAfter(v1::CommitPoint())).has_store_restored());
  EXPECT_TRUE(Waiting());
}

TEST_F(TakeMessageTest, AnExpiredCommitIsAKnownOne) {
  const v1::CommitPoint seen = Send(Message("ann")).commit();
  for (size_t i = 0; i <= base::limits::kTimelines; ++i) {
    Restart();
    Send(Message("carer " + std::to_string(i)));
  }
  ASSERT_EQ(commit::Standing(*engine_->Snapshot(), tenant_, {seen.timeline(), seen.revision()}).value(),
            commit::CursorStanding::kExpired);
  EXPECT_FALSE(Send(MessageAfter(seen)).has_store_restored());
  EXPECT_FALSE(Waiting());
}

TEST_F(TakeMessageTest, OnlyTheFirstMessageSaysWhatWasSeen) {
  const v1::CommitPoint seen = Send(Message("ann")).commit();
  const auto committed = engine_->Run(tenant_, [&](commit::Transaction& transaction) {
    return TakeMessage(transaction, {"rota", engine_->opening().timeline}, false, MessageAfter(seen, "ben")).status();
  });
  EXPECT_EQ(base::Reason(committed.status()), "INVALID_FIELD");
}

TEST_F(TakeMessageTest, AMessageOfAnUnknownTenantIsRefused) {
  const auto committed = engine_->Run(fakes::Tenant("nobody"), [&](commit::Transaction& transaction) {
    return TakeMessage(transaction, {"rota", engine_->opening().timeline}, true, Message()).status();
  });
  EXPECT_EQ(base::Reason(committed.status()), base::Reason(base::errors::TenantUnknown("nobody")));
}

}  // namespace
}  // namespace caresync::roster
