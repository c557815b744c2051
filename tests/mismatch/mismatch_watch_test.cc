#include "server/mismatch/mismatch_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/base/sealed_token.h"
#include "server/base/status_macros.h"
#include "server/mismatch/look_again.h"
#include "server/mismatch/transitions.h"
#include "tests/fakes/engine.h"
#include "tests/mismatch/mismatch_bench.h"
#include "tests/records/sample_records.h"

namespace caresync::mismatch {
namespace {

namespace limits = base::limits;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr int kVisits = 300;

class MismatchWatchTest : public testing::Test {
 protected:
  // Visits 1 to 3 of this morning, each of the carer of its number, whose phones did not take them in time.
  static void OpenThree(MismatchBench& bench) {
    bench.Put({VisitAt(1, At(9), {1}), VisitAt(2, At(9), {2}), VisitAt(3, At(9), {3})});
    bench.AdvanceTo(At(6, 30));
    ASSERT_EQ(bench.CountOpen(), 3u);
  }
  void OpenThree() { OpenThree(bench_); }

  static devices::AsOf Now(MismatchBench& bench) {
    return {.syncs = {.opening = bench.timeline()}, .now = bench.clock().Now()};
  }
  v1::WatchMismatchesResponse Read(MismatchBench& bench, const std::string& token) {
    const auto response = WatchMismatches(*bench.Snapshot(), bench.tenant(), token, sealer_, Now(bench));
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? *response : v1::WatchMismatchesResponse();
  }
  v1::WatchMismatchesResponse Read(const std::string& token) { return Read(bench_, token); }
  // All that is left after `token_`, which goes on behind it.
  std::vector<v1::Mismatch> ReadOn() {
    std::vector<v1::Mismatch> told;
    for (bool caught_up = false; !caught_up;) {
      const v1::WatchMismatchesResponse response = Read(token_);
      EXPECT_FALSE(response.restarted());
      told.insert(told.end(), response.mismatches().begin(), response.mismatches().end());
      token_ = response.resume_token();
      caught_up = response.caught_up() || token_.empty();
    }
    return told;
  }

  // Which visits they are of.
  template <typename Mismatches>
  static std::vector<int> NumbersOf(const Mismatches& mismatches) {
    std::vector<int> numbers;
    for (const v1::Mismatch& mismatch : mismatches) {
      int number = 1;
      while (number < kVisits && mismatch.visit_id() != records::VisitName(number).id.ToString()) ++number;
      numbers.push_back(number);
    }
    return numbers;
  }

  void Run(MismatchBench& bench, commit::Change change) {
    const auto done = bench.Run(std::move(change));
    ASSERT_TRUE(done.ok()) << done.status();
  }
  template <typename Request>
  static Request RequestOf(int number) {
    Request request;
    request.set_carer_id(MismatchBench::Carer(number).ToString());
    request.set_visit_id(records::VisitName(number).id.ToString());
    return request;
  }
  // The mismatch of the carer and the visit of this number.
  void Close(MismatchBench& bench, int number) {
    Run(bench, [&](commit::Transaction& transaction) {
      return mismatch::Close(transaction, RequestOf<v1::CloseMismatchRequest>(number), "olga", Now(bench).syncs)
          .status();
    });
  }
  void Close(int number) { Close(bench_, number); }
  void Reopen(int number) {
    Run(bench_, [&](commit::Transaction& transaction) {
      return mismatch::Reopen(transaction, RequestOf<v1::ReopenMismatchRequest>(number), "olga", Now(bench_).syncs)
          .status();
    });
  }
  void Snooze(int number) {
    auto request = RequestOf<v1::SnoozeMismatchRequest>(number);
    *request.mutable_until_time() = base::ToTimestamp(bench_.clock().Now() + absl::Minutes(30));
    Run(bench_, [&](commit::Transaction& transaction) {
      return mismatch::Snooze(transaction, request, "olga", Now(bench_).syncs).status();
    });
  }
  // Writes the row of the carer and the visit of this number anew.
  void Edit(int number, const std::function<void(store::Mismatch&)>& edit) {
    Run(bench_, [&](commit::Transaction& transaction) -> absl::Status {
      const CarerVisit of = MismatchBench::Of(number, number);
      ASSIGN_OR_RETURN(const std::optional<store::Mismatch> old, GetMismatch(transaction, bench_.tenant(), of));
      store::Mismatch row = *old;
      edit(row);
      return PutMismatch(transaction, of, old, row);
    });
  }

  const base::TokenSealer sealer_{std::string(32, 'k')};
  MismatchBench bench_;
  std::string token_;
};

// ---- What is told

TEST_F(MismatchWatchTest, BeginsWithThoseThatAreOpenOrSnoozed) {
  OpenThree();
  Close(1);
  Snooze(2);
  const v1::WatchMismatchesResponse first = Read("");
  EXPECT_THAT(NumbersOf(first.mismatches()), ElementsAre(3, 2)) << "in the order of their last changes";
  EXPECT_EQ(first.mismatches(0).state(), v1::MISMATCH_STATE_AT_RISK);
  EXPECT_EQ(first.mismatches(1).state(), v1::MISMATCH_STATE_SNOOZED);
  EXPECT_TRUE(first.caught_up());
  EXPECT_FALSE(first.restarted());
}

TEST_F(MismatchWatchTest, WhereThereIsNoneThereIsATokenToo) {
  const v1::WatchMismatchesResponse nothing = Read("");
  EXPECT_THAT(nothing.mismatches(), IsEmpty());
  EXPECT_TRUE(nothing.caught_up());
  token_ = nothing.resume_token();
  OpenThree();
  EXPECT_THAT(NumbersOf(ReadOn()), ElementsAre(1, 2, 3));
}

// Requirement: M6
TEST_F(MismatchWatchTest, TellsEachAgainWhateverBecomesOfIt) {
  OpenThree();
  ReadOn();
  Close(2);
  std::vector<v1::Mismatch> told = ReadOn();
  ASSERT_THAT(NumbersOf(told), ElementsAre(2));
  EXPECT_EQ(told[0].state(), v1::MISMATCH_STATE_CLOSED);
  ASSERT_EQ(told[0].transitions_size(), 1);
  EXPECT_EQ(told[0].transitions(0).person(), "olga");
  EXPECT_EQ(base::FromTimestamp(told[0].transitions(0).transition_time()), At(6, 30));

  bench_.Put({VisitAt(1, At(11), {1})});
  told = ReadOn();
  ASSERT_THAT(NumbersOf(told), ElementsAre(1));
  EXPECT_EQ(base::FromTimestamp(told[0].to().start_time()), At(11));

  bench_.SignIn(3, 1);
  bench_.Sync(3, 1);
  told = ReadOn();
  ASSERT_THAT(NumbersOf(told), ElementsAre(3));
  EXPECT_EQ(told[0].state(), v1::MISMATCH_STATE_RESOLVED);
  EXPECT_THAT(ReadOn(), IsEmpty());
}

TEST_F(MismatchWatchTest, OneThatWakesIsTold) {
  OpenThree();
  Snooze(2);
  ReadOn();
  bench_.Advance(absl::Minutes(31));
  const std::vector<v1::Mismatch> told = ReadOn();
  ASSERT_THAT(NumbersOf(told), ElementsAre(2));
  EXPECT_EQ(told[0].state(), v1::MISMATCH_STATE_AT_RISK);
}

TEST_F(MismatchWatchTest, WhatBecameOfItMeanwhileIsToldAsOneWithEveryTransition) {
  OpenThree();
  ReadOn();
  Snooze(2);
  Reopen(2);
  Close(2);
  const std::vector<v1::Mismatch> told = ReadOn();
  ASSERT_THAT(NumbersOf(told), ElementsAre(2));
  EXPECT_EQ(told[0].transitions_size(), 3);
}

TEST_F(MismatchWatchTest, NobodyIsToldOfOneThatNobodyNeedsToKnow) {
  bench_.Put({VisitAt(1, At(9), {1})});
  ASSERT_EQ(bench_.StateOf(1, 1), store::Mismatch::PENDING);
  EXPECT_THAT(ReadOn(), IsEmpty());
  bench_.SignIn(1, 1);
  bench_.Sync(1, 1);
  bench_.AdvanceTo(At(7));
  EXPECT_THAT(ReadOn(), IsEmpty());
}

TEST_F(MismatchWatchTest, NobodyIsToldThatOneIsLookedAtAgain) {
  OpenThree();
  bench_.SignIn(1, 1);
  bench_.Sync(1, 1);
  ReadOn();
  Run(bench_, [](commit::Transaction& transaction) { return LookAgain(transaction, MismatchBench::Carer(1)); });
  ASSERT_NE(bench_.Get(1, 1).due_us(), 0);
  EXPECT_THAT(ReadOn(), IsEmpty());
  bench_.Advance(absl::Hours(1));
  ASSERT_EQ(bench_.Get(1, 1).due_us(), 0);
  EXPECT_THAT(ReadOn(), IsEmpty());
}

TEST_F(MismatchWatchTest, SaysWhenItsStateMovesOnWithTheTimeAndHowLongItIsKept) {
  bench_.Put({VisitAt(1, At(9) + absl::Hours(48), {1})});
  Edit(1, [](store::Mismatch& row) { row.set_due_us(absl::ToUnixMicros(At(6, 10))); });
  bench_.AdvanceTo(At(6, 15));
  v1::Mismatch told = Read("").mismatches(0);
  EXPECT_EQ(told.state(), v1::MISMATCH_STATE_CHANGED);
  EXPECT_EQ(base::FromTimestamp(told.next_state_time()), At(9) + absl::Hours(24));
  EXPECT_EQ(base::FromTimestamp(told.kept_until_time()), At(10) + absl::Hours(48) + limits::kMismatchKept);
  bench_.AdvanceTo(At(9) + absl::Hours(24));
  told = Read("").mismatches(0);
  EXPECT_EQ(told.state(), v1::MISMATCH_STATE_AT_RISK);
  EXPECT_EQ(base::FromTimestamp(told.next_state_time()), At(9) + absl::Hours(48));
  bench_.AdvanceTo(At(9) + absl::Hours(48));
  EXPECT_FALSE(Read("").mismatches(0).has_next_state_time());
  bench_.AdvanceTo(At(11) + absl::Hours(48) + limits::kMismatchKept);
  EXPECT_THAT(Read("").mismatches(), IsEmpty());
}

TEST_F(MismatchWatchTest, OneThatCannotBeReadHoldsNothingUp) {
  OpenThree();
  Run(bench_, [&](commit::Transaction& transaction) {
    const CarerVisit of = MismatchBench::Of(1, 1);
    transaction.Put(storage::Space::kRecords, base::keys::Mismatch(bench_.tenant(), of.carer, of.visit), "\xFF\xFF");
    return absl::OkStatus();
  });
  EXPECT_THAT(NumbersOf(ReadOn()), ElementsAre(2, 3));
}

// The watcher's place goes on behind it: it would not hear of it when the record is mended.
TEST_F(MismatchWatchTest, OneWhoseCarerCannotBeReadIsToldAllTheSame) {
  OpenThree();
  bench_.Write({storage::Space::kRecords, base::keys::Record(bench_.tenant(), records::KeyOf(records::CarerName(1))),
                "\xFF\xFF"});
  const std::vector<v1::Mismatch> told = ReadOn();
  ASSERT_THAT(NumbersOf(told), ElementsAre(1, 2, 3));
  EXPECT_EQ(told[0].carer_name(), "");
  EXPECT_NE(told[1].carer_name(), "");
}

TEST_F(MismatchWatchTest, WhatAnEarlierServerOpenedIsToldOnceThisOneHasStarted) {
  OpenThree();
  Run(bench_, [&](commit::Transaction& transaction) {
    for (const int number : {1, 2, 3}) {
      const CarerVisit of = MismatchBench::Of(number, number);
      store::Mismatch row = bench_.Get(number, number);
      transaction.Delete(storage::Space::kRecords,
                         base::keys::ToldMismatch(bench_.tenant(), row.told_revision(), of.carer, of.visit));
      row.clear_told_revision();
      transaction.Put(storage::Space::kRecords, base::keys::Mismatch(bench_.tenant(), of.carer, of.visit),
                      row.SerializeAsString());
    }
    return absl::OkStatus();
  });
  EXPECT_THAT(ReadOn(), IsEmpty());
  bench_.SweepAtStart();
  EXPECT_THAT(NumbersOf(ReadOn()), ElementsAre(1, 2, 3));
}

// ---- In messages of bounded size

TEST_F(MismatchWatchTest, ManyComeInMessagesOnceEach) {
  constexpr int kMany = 2 * static_cast<int>(limits::kWatchedMismatches) + 50;
  std::vector<int> expected(kMany);
  std::iota(expected.begin(), expected.end(), 1);
  bench_.PutMany(kMany, At(9));
  bench_.AdvanceTo(At(7));
  ASSERT_EQ(bench_.CountOpen(), static_cast<size_t>(kMany));
  std::vector<int> told;
  int messages = 0;
  for (bool caught_up = false; !caught_up; ++messages) {
    const v1::WatchMismatchesResponse response = Read(token_);
    ASSERT_FALSE(response.resume_token().empty());
    EXPECT_LE(response.mismatches_size(), static_cast<int>(limits::kWatchedMismatches));
    const std::vector<int> numbers = NumbersOf(response.mismatches());
    told.insert(told.end(), numbers.begin(), numbers.end());
    token_ = response.resume_token();
    caught_up = response.caught_up();
  }
  EXPECT_GE(messages, 3);
  std::sort(told.begin(), told.end());
  EXPECT_EQ(told, expected);
}

TEST_F(MismatchWatchTest, LongOnesComeInSmallerMessages) {
  OpenThree();
  for (const int number : {1, 2, 3}) {
    Edit(number, [](store::Mismatch& row) {
      for (int i = 0; i < limits::kMismatchTransitions; ++i) {
        row.add_transitions()->set_note(std::string(limits::kMismatchNoteCharacters, 'n'));
      }
    });
  }
  const v1::WatchMismatchesResponse first = Read("");
  EXPECT_THAT(NumbersOf(first.mismatches()), ElementsAre(1, 2));
  EXPECT_FALSE(first.caught_up());
  const v1::WatchMismatchesResponse second = Read(first.resume_token());
  EXPECT_THAT(NumbersOf(second.mismatches()), ElementsAre(3));
  EXPECT_TRUE(second.caught_up());
}

TEST_F(MismatchWatchTest, OneThatChangesWhileTheFirstAreToldIsToldBehindThem) {
  OpenThree();
  for (const int number : {1, 2, 3}) {
    Edit(number, [](store::Mismatch& row) {
      for (int i = 0; i < limits::kMismatchTransitions; ++i) {
        row.add_transitions()->set_note(std::string(limits::kMismatchNoteCharacters, 'n'));
      }
    });
  }
  token_ = Read("").resume_token();
  Close(3);
  Close(1);
  const std::vector<v1::Mismatch> told = ReadOn();
  ASSERT_THAT(NumbersOf(told), ElementsAre(3, 1));
  EXPECT_EQ(told[0].state(), v1::MISMATCH_STATE_CLOSED);
}

// ---- Tokens

TEST_F(MismatchWatchTest, ATokenGoesOnAfterARestart) {
  OpenThree();
  ReadOn();
  Close(1);
  bench_.Start();
  Close(2);
  EXPECT_THAT(NumbersOf(ReadOn()), ElementsAre(1, 2));
}

TEST_F(MismatchWatchTest, AfterARestoreATokenOfTheLostTimeBeginsAnewAndSaysSo) {
  // A bench does the same each time: this one is the backup, and what is done to the other since is lost.
  MismatchBench restored;
  OpenThree();
  OpenThree(restored);
  ReadOn();
  const std::string before = token_;
  Close(1);
  ReadOn();
  restored.Start();
  Close(restored, 2);
  const v1::WatchMismatchesResponse anew = Read(restored, token_);
  EXPECT_TRUE(anew.restarted());
  EXPECT_THAT(NumbersOf(anew.mismatches()), ElementsAre(1, 3));
  EXPECT_FALSE(Read(restored, anew.resume_token()).restarted());
  const v1::WatchMismatchesResponse from_before = Read(restored, before);
  EXPECT_FALSE(from_before.restarted());
  EXPECT_THAT(NumbersOf(from_before.mismatches()), ElementsAre(2));
}

TEST_F(MismatchWatchTest, ATokenServesItsTenantAndThisStreamOnly) {
  OpenThree();
  ReadOn();
  const auto reason = [&](const std::string& tenant, const std::string& token) {
    return base::Reason(
        WatchMismatches(*bench_.Snapshot(), fakes::Tenant(tenant), token, sealer_, Now(bench_)).status());
  };
  EXPECT_EQ(reason("acme", token_), "");
  EXPECT_EQ(reason("apex", token_), "TOKEN_NOT_VALID");
  EXPECT_EQ(reason("acme", token_ + "x"), "TOKEN_NOT_VALID");
  EXPECT_EQ(reason("acme", "seven"), "TOKEN_NOT_VALID");
  EXPECT_EQ(reason("acme", sealer_.Seal("care-events", "acme", "")), "TOKEN_NOT_VALID");
  EXPECT_EQ(reason("acme", sealer_.Seal("mismatches", "acme", "\x0A\x04rota")), "TOKEN_NOT_VALID") << "of one source";
}

}  // namespace
}  // namespace caresync::mismatch
