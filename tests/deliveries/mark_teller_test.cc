#include "server/deliveries/mark_teller.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/stored.h"
#include "server/deliveries/delivery_rows.h"
#include "server/deliveries/marks.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/engine.h"

namespace caresync::deliveries {
namespace {

namespace keys = base::keys;
using storage::Space;

const base::TenantId kTenant = fakes::Tenant("agency");
const base::Uuid kDevice = *base::Uuid::Parse("11111111-1111-4111-8111-111111111111");
const base::Uuid kCarer = *base::Uuid::Parse("22222222-2222-4222-8222-222222222222");
constexpr size_t kAll = 10'000;

class MarkTellerTest : public testing::Test {
 protected:
  MarkTellerTest() { engine_.CreateTenant(kTenant); }

  void Put(uint64_t first, uint64_t last) {
    storage::Commit commit;
    for (uint64_t number = first; number <= last; ++number) AddMark(commit, kTenant, kDevice, kCarer, {number, {}});
    EXPECT_EQ(fakes::CommitAndWait(engine_.memory(), std::move(commit)).outcome, storage::CommitOutcome::kCommitted);
  }
  // The numbers of what was told, in the order in which it is read.
  std::vector<uint64_t> Told() const { return ToldIn(*engine_.Snapshot()); }
  static std::vector<uint64_t> ToldIn(const storage::Reader& reader) {
    std::vector<uint64_t> numbers;
    EXPECT_TRUE(reader
                    .Scan(Space::kRecords, keys::ToldMarks(kTenant, ""), kAll,
                          [&numbers](std::string_view, std::string_view value) {
                            const auto told = base::ParseStored<store::ToldMark>(value);
                            EXPECT_TRUE(told.ok());
                            EXPECT_EQ(told->device_uuid(), kDevice.ToString());
                            EXPECT_EQ(told->carer_id(), kCarer.ToString());
                            numbers.push_back(told->mark_number());
                            return true;
                          })
                    .ok());
    return numbers;
  }

  fakes::Engine engine_;
  MarkTeller teller_{engine_.sequencer(), engine_.executor()};
};

TEST_F(MarkTellerTest, WhatIsToldLiesInTheOrderOfCommitsAndIsToldOnce) {
  size_t heard = 0;
  const auto handle =
      engine_.subscriptions().Subscribe(kTenant, DeliveryTopic(), [&heard](base::Revision) { ++heard; });
  Put(1, 2);
  teller_.Tell(kTenant);
  engine_.executor().Advance(kMarksTogether);
  EXPECT_EQ(Told(), (std::vector<uint64_t>{1, 2}));
  Put(3, 3);
  teller_.Tell(kTenant);
  engine_.executor().Advance(kMarksTogether);
  EXPECT_EQ(Told(), (std::vector<uint64_t>{1, 2, 3}));
  EXPECT_EQ(heard, 2u);
}

TEST_F(MarkTellerTest, WithNothingToTellNoRevisionIsTaken) {
  const base::Revision before = engine_.Head(kTenant);
  teller_.Tell(kTenant);
  engine_.executor().Advance(kMarksTogether);
  EXPECT_EQ(engine_.Head(kTenant), before);
}

TEST_F(MarkTellerTest, ManyThatAskAtOnceAreToldByFewCommits) {
  const base::Revision before = engine_.Head(kTenant);
  for (uint64_t number = 1; number <= 100; ++number) {
    Put(number, number);
    teller_.Tell(kTenant);
  }
  engine_.executor().Advance(kMarksTogether);
  EXPECT_EQ(Told().size(), 100u);
  EXPECT_LE(engine_.Head(kTenant), before + 2);
}

TEST_F(MarkTellerTest, MoreThanOneCommitTellsAreToldByFurtherOnes) {
  const base::Revision before = engine_.Head(kTenant);
  const size_t count = 2 * base::limits::kMarksTold + 1;
  Put(1, count);
  teller_.Tell(kTenant);
  engine_.executor().Advance(kMarksTogether);
  EXPECT_EQ(Told().size(), count);
  EXPECT_EQ(engine_.Head(kTenant), before + 3);
}

TEST_F(MarkTellerTest, NothingIsToldBeforeOthersHadTheTimeToJoin) {
  Put(1, 1);
  teller_.Tell(kTenant);
  engine_.executor().Advance(kMarksTogether - absl::Milliseconds(1));
  EXPECT_TRUE(Told().empty());
  engine_.executor().Advance(absl::Milliseconds(1));
  EXPECT_EQ(Told(), std::vector<uint64_t>{1});
}

TEST_F(MarkTellerTest, WhatWasNotToldWhenTheServerEndedIsToldWhenItStarts) {
  Put(1, 3);
  fakes::Engine again(engine_.memory().Copy(), 2);
  MarkTeller teller(again.sequencer(), again.executor());
  ASSERT_TRUE(teller.TellAtStart(*again.Snapshot()).ok());
  again.executor().Advance(kMarksTogether);
  EXPECT_EQ(ToldIn(*again.Snapshot()), (std::vector<uint64_t>{1, 2, 3}));
  const base::Revision head = again.Head(kTenant);
  ASSERT_TRUE(teller.TellAtStart(*again.Snapshot()).ok());
  again.executor().Advance(kMarksTogether);
  EXPECT_EQ(again.Head(kTenant), head) << "nothing is left";
}

}  // namespace
}  // namespace caresync::deliveries
