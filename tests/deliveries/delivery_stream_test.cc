#include "server/deliveries/delivery_stream.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/proto_time.h"
#include "server/deliveries/delivery_rows.h"
#include "tests/deliveries/delivery_bench.h"
#include "tests/fakes/commits.h"

namespace caresync::deliveries {
namespace {

using store::CopyMark;
using testing::ElementsAre;
using testing::IsEmpty;

class DeliveryStreamTest : public testing::Test {
 protected:
  v1::StreamDeliveriesResponse Read(const DeliveryBench& bench, const std::string& token,
                                    const std::string& source = "rota") const {
    const auto response = ReadDeliveries(*bench.Snapshot(), bench.tenant(), source, token, sealer_);
    EXPECT_TRUE(response.ok()) << response.status();
    return response.value_or(v1::StreamDeliveriesResponse());
  }
  v1::StreamDeliveriesResponse Read(const std::string& token) const { return Read(bench_, token); }
  // All that is left after `token_`, which goes on behind it.
  std::vector<v1::RosterDelivery> ReadOn() {
    std::vector<v1::RosterDelivery> told;
    for (bool caught_up = false; !caught_up;) {
      const v1::StreamDeliveriesResponse response = Read(token_);
      EXPECT_FALSE(response.restarted());
      told.insert(told.end(), response.deliveries().begin(), response.deliveries().end());
      token_ = response.resume_token();
      caught_up = response.caught_up() || token_.empty();
    }
    return told;
  }
  // "a applied", "b superseded", "a applied off" of one that is held no more.
  template <typename Deliveries>
  static std::vector<std::string> Words(const Deliveries& deliveries) {
    std::vector<std::string> words;
    for (const v1::RosterDelivery& delivery : deliveries) {
      words.push_back(absl::StrCat(delivery.visit_external_id(),
                                   delivery.state() == v1::DELIVERY_STATE_APPLIED ? " applied" : " superseded",
                                   delivery.held() ? "" : " off"));
    }
    return words;
  }

  const base::TokenSealer sealer_{std::string(32, 'k')};
  DeliveryBench bench_;
  std::string token_;
};

// ---- What is told

TEST_F(DeliveryStreamTest, WhereThereIsNothingThereIsATokenToo) {
  const v1::StreamDeliveriesResponse nothing = Read("");
  EXPECT_THAT(nothing.deliveries(), IsEmpty());
  EXPECT_TRUE(nothing.caught_up());
  EXPECT_FALSE(nothing.restarted());
  EXPECT_FALSE(nothing.resume_token().empty());
}

TEST_F(DeliveryStreamTest, TellsWhatADeviceAcknowledged) {
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  const base::Revision revision = bench_.Put("a", {"c1"});
  const absl::Time committed = bench_.Now();
  const absl::Time applied = bench_.Whole(bench_.Head());
  EXPECT_THAT(ReadOn(), IsEmpty()) << "it is not told yet";
  bench_.Tell();
  const std::vector<v1::RosterDelivery> told = ReadOn();
  ASSERT_THAT(Words(told), ElementsAre("a applied"));
  EXPECT_EQ(told[0].carer_external_id(), "c1");
  EXPECT_EQ(told[0].device_uuid(), DeliveryBench::Device(1).ToString());
  EXPECT_EQ(told[0].revision(), revision);
  EXPECT_EQ(base::FromTimestamp(told[0].committed_time()), committed);
  EXPECT_TRUE(told[0].has_source_changed_time());
  EXPECT_EQ(base::FromTimestamp(told[0].sent_time()), applied - absl::Seconds(5));
  EXPECT_EQ(base::FromTimestamp(told[0].applied_time()), applied);
  EXPECT_THAT(ReadOn(), IsEmpty());
}

TEST_F(DeliveryStreamTest, EachChangeIsToldWhereItsPlaceWasTakenToo) {
  bench_.Put("b", {"c1"});
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  bench_.Tell();
  ReadOn();
  bench_.Put("a", {"c1"}, "first");
  bench_.Put("a", {"c1"}, "second");
  bench_.Cancel("b", {"c1"});
  bench_.Whole(bench_.Head());
  bench_.Tell();
  EXPECT_THAT(Words(ReadOn()), ElementsAre("a superseded", "a applied", "b applied off"));
}

TEST_F(DeliveryStreamTest, AFirstCopyTellsByWhichChangesItHoldsVisitsNow) {
  bench_.Put("a", {"c1"}, "first");
  bench_.Put("a", {"c1"}, "second");
  bench_.Put("b", {"c1"});
  bench_.Cancel("b", {"c1"});
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  bench_.Tell();
  EXPECT_THAT(Words(ReadOn()), ElementsAre("a applied"));
}

TEST_F(DeliveryStreamTest, EachStepOfADeltaTellsItsPart) {
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  const base::Revision first = bench_.Put("a", {"c1"});
  bench_.Put("b", {"c1"});
  bench_.Mark(CopyMark::APPLIED, bench_.Head(), {first, DeliveryBench::Visit("a")});
  bench_.Tell();
  EXPECT_THAT(Words(ReadOn()), ElementsAre("a applied"));
  bench_.Whole(bench_.Head());
  bench_.Tell();
  EXPECT_THAT(Words(ReadOn()), ElementsAre("b applied"));
}

TEST_F(DeliveryStreamTest, ANewCopyTellsOnlyWhatIsNewInIt) {
  bench_.Put("a", {"c1"});
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  bench_.Nothing(CopyMark::EMPTY);
  bench_.Tell();
  ReadOn();
  bench_.Put("b", {"c1"});
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  bench_.Tell();
  EXPECT_THAT(Words(ReadOn()), ElementsAre("b applied"));
}

TEST_F(DeliveryStreamTest, AMarkFarBehindOthersOfTheDeviceGoesOnFromItsOwn) {
  bench_.Put("a", {"c1"});
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  for (int i = 0; i < 40; ++i) bench_.Whole(bench_.Head(), CopyMark::SWAPPED, "c2");
  bench_.Put("b", {"c1"});
  bench_.Whole(bench_.Head());
  bench_.Tell();
  EXPECT_THAT(Words(ReadOn()), ElementsAre("a applied", "b applied"));
}

TEST_F(DeliveryStreamTest, ADeviceThatFellBackTellsAnewWhatItTakesAgain) {
  const base::Revision before = bench_.Head();
  bench_.Whole(before, CopyMark::SWAPPED);
  bench_.Put("a", {"c1"});
  bench_.Whole(bench_.Head());
  bench_.Tell();
  ASSERT_THAT(Words(ReadOn()), ElementsAre("a applied"));
  bench_.Whole(before, CopyMark::FELL_BACK);
  bench_.Tell();
  EXPECT_THAT(ReadOn(), IsEmpty());
  bench_.Whole(bench_.Head());
  bench_.Tell();
  EXPECT_THAT(Words(ReadOn()), ElementsAre("a applied"));
}

TEST_F(DeliveryStreamTest, WhatTheWindowMovedIsNotTold) {
  bench_.Put("a", {"c1"});
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  bench_.Tell();
  ReadOn();
  bench_.MoveByWindow("a", "c1");
  bench_.Whole(bench_.Head());
  bench_.Tell();
  EXPECT_THAT(ReadOn(), IsEmpty());
}

TEST_F(DeliveryStreamTest, AnotherSourceSeesNothingOfIt) {
  bench_.Put("a", {"c1"});
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  bench_.Tell();
  const v1::StreamDeliveriesResponse other = Read(bench_, "", "planner");
  EXPECT_THAT(other.deliveries(), IsEmpty());
  EXPECT_TRUE(other.caught_up());
}

TEST_F(DeliveryStreamTest, AMarkThatWasLetGoIsPassedOver) {
  bench_.Put("a", {"c1"});
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  bench_.Put("b", {"c1"});
  bench_.Whole(bench_.Head());
  bench_.Tell();
  bench_.DeleteMark(1, "c1", 1);
  EXPECT_THAT(Words(ReadOn()), ElementsAre("a applied", "b applied")) << "by the first that is left";
}

TEST_F(DeliveryStreamTest, OneThatCannotBeReadHoldsNothingUp) {
  bench_.Put("a", {"c1"});
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  bench_.Put("b", {"c2"});
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED, "c2", 2);
  bench_.Tell();
  const storage::CommitResult done = fakes::CommitAndWait(
      bench_.engine().memory(),
      fakes::PutOf(storage::Space::kDevices,
                   base::keys::CopyMark(bench_.tenant(), DeliveryBench::Device(1), DeliveryBench::Carer("c1"), 1),
                   "\xFF\xFF"));
  ASSERT_EQ(done.outcome, storage::CommitOutcome::kCommitted);
  EXPECT_THAT(Words(ReadOn()), ElementsAre("b applied"));
}

TEST_F(DeliveryStreamTest, ARowOfWhatWasToldThatCannotBeReadHoldsNothingUp) {
  bench_.Put("a", {"c1"});
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  bench_.Put("b", {"c2"});
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED, "c2", 2);
  bench_.Tell();
  const storage::CommitResult done = fakes::CommitAndWait(
      bench_.engine().memory(),
      fakes::PutOf(storage::Space::kRecords, base::keys::ToldMark(bench_.tenant(), bench_.Head(), 1), "\xFF\xFF"));
  ASSERT_EQ(done.outcome, storage::CommitOutcome::kCommitted);
  EXPECT_THAT(Words(ReadOn()), ElementsAre("b applied"));
}

// ---- In messages of bounded size

TEST_F(DeliveryStreamTest, ManyComeInMessagesOnceEach) {
  constexpr int kMany = 250;
  std::vector<std::string> expected;
  for (int i = 0; i < kMany; ++i) {
    const std::string visit = absl::StrCat("v", i);
    bench_.Put(visit, {"c1"});
    expected.push_back(absl::StrCat(visit, " applied"));
  }
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  bench_.Put("last", {"c1"});
  expected.push_back("last applied");
  bench_.Whole(bench_.Head());
  bench_.Tell();
  std::vector<std::string> told;
  int messages = 0;
  for (bool caught_up = false; !caught_up; ++messages) {
    const v1::StreamDeliveriesResponse response = Read(token_);
    ASSERT_FALSE(response.resume_token().empty());
    EXPECT_LE(response.deliveries_size(), 100);
    for (const std::string& word : Words(response.deliveries())) told.push_back(word);
    token_ = response.resume_token();
    caught_up = response.caught_up();
  }
  EXPECT_EQ(messages, 3);
  EXPECT_EQ(told, expected);
}

TEST_F(DeliveryStreamTest, AMessageLooksAtABoundedNumberOfEntriesThatAreNotTheSources) {
  for (int i = 0; i < 6; ++i) {
    const auto put = [&](commit::Transaction& transaction) {
      for (int visit = 0; visit < 500; ++visit) {
        PutEntry(transaction, DeliveryBench::Carer("c1"), {absl::StrCat("other", visit)}, store::VisitEntry());
      }
      return absl::OkStatus();
    };
    ASSERT_TRUE(bench_.engine().Run(bench_.tenant(), put).ok());
  }
  bench_.Put("a", {"c1"});
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  bench_.Tell();
  const v1::StreamDeliveriesResponse first = Read("");
  EXPECT_THAT(first.deliveries(), IsEmpty());
  EXPECT_FALSE(first.caught_up());
  EXPECT_THAT(Words(ReadOn()), ElementsAre("a applied"));
}

TEST_F(DeliveryStreamTest, AMarkThatIsLetGoWhileItIsToldHidesNothingBehindIt) {
  for (int i = 0; i < 150; ++i) bench_.Put(absl::StrCat("v", i), {"c1"});
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  bench_.Tell();
  token_ = Read("").resume_token();
  bench_.DeleteMark(1, "c1", 1);
  bench_.Put("of-c2", {"c2"});
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED, "c2", 2);
  bench_.Tell();
  EXPECT_THAT(Words(ReadOn()), ElementsAre("of-c2 applied"));
}

// ---- Tokens

TEST_F(DeliveryStreamTest, ATokenGoesOnAfterARestart) {
  bench_.Put("a", {"c1"});
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  bench_.Tell();
  ReadOn();
  DeliveryBench restarted(bench_.engine().memory().Copy(), 2, bench_);
  restarted.Put("b", {"c1"});
  restarted.Whole(restarted.Head());
  restarted.Tell();
  const v1::StreamDeliveriesResponse response = Read(restarted, token_);
  EXPECT_FALSE(response.restarted());
  EXPECT_THAT(Words(response.deliveries()), ElementsAre("b applied"));
}

TEST_F(DeliveryStreamTest, AfterARestoreATokenOfTheLostTimeBeginsAnewAndSaysSo) {
  bench_.Put("a", {"c1"});
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  bench_.Tell();
  DeliveryBench restored(bench_.engine().memory().Copy(), 2, bench_);
  bench_.Put("b", {"c1"});
  bench_.Whole(bench_.Head());
  bench_.Tell();
  ASSERT_THAT(Words(ReadOn()), ElementsAre("a applied", "b applied"));
  restored.Put("c", {"c2"});
  const v1::StreamDeliveriesResponse anew = Read(restored, token_);
  EXPECT_TRUE(anew.restarted());
  EXPECT_THAT(Words(anew.deliveries()), ElementsAre("a applied"));
  EXPECT_FALSE(Read(restored, anew.resume_token()).restarted());
}

TEST_F(DeliveryStreamTest, ATokenServesItsTenantItsSourceAndThisStreamOnly) {
  ReadOn();
  const auto reason = [&](const std::string& tenant, const std::string& source, const std::string& token) {
    return base::Reason(ReadDeliveries(*bench_.Snapshot(), fakes::Tenant(tenant), source, token, sealer_).status());
  };
  EXPECT_EQ(reason("agency", "rota", token_), "");
  EXPECT_EQ(reason("apex", "rota", token_), "TOKEN_NOT_VALID");
  EXPECT_EQ(reason("agency", "planner", token_), "TOKEN_NOT_VALID");
  EXPECT_EQ(reason("agency", "rota", token_ + "x"), "TOKEN_NOT_VALID");
  EXPECT_EQ(reason("agency", "rota", sealer_.Seal("care-events", "agency", "")), "TOKEN_NOT_VALID");
}

}  // namespace
}  // namespace caresync::deliveries
