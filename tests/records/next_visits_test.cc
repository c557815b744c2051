#include "server/records/next_visits.h"

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/feed/feed_writer.h"
#include "tests/fakes/feeds.h"
#include "tests/fakes/rota.h"
#include "tests/records/sample_records.h"

namespace caresync::records {
namespace {

namespace limits = base::limits;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr feed::Level kLevel = 2;

// A carer's part of a visit, in hours from the midnight on which the second of March begins.
struct Part {
  int carer = 1;
  int from = 9;
  int to = 10;
};

store::Record Visit(int number, int service_user, const std::vector<Part>& parts, const std::string& notes = "") {
  v1::Visit visit;
  visit.set_service_user_id(ServiceUserName(service_user).id.ToString());
  visit.set_notes(notes);
  for (const Part& part : parts) {
    v1::Assignment& assignment = *visit.add_assignments();
    assignment.set_carer_id(CarerName(part.carer).id.ToString());
    assignment.mutable_start_time()->set_seconds(fakes::AtHour(0).seconds() + 3600 * part.from);
    assignment.mutable_end_time()->set_seconds(fakes::AtHour(0).seconds() + 3600 * part.to);
  }
  store::Record record = VisitRecord(number, service_user, {});
  record.set_payload(visit.SerializeAsString());
  return record;
}

// It is 06:00.
class NextVisitsTest : public testing::Test {
 protected:
  void SetUp() override {
    Put({CarerRecord(1), CarerRecord(2), CarerRecord(3), ServiceUserRecord(1), ServiceUserRecord(2)});
  }

  void Put(const std::vector<store::Record>& records) { PutAll(engine_, tenant_, records); }
  void PutPlan(const store::Record& plan) {
    RunRecords(engine_, tenant_, [&](RecordStore& records) { return records.PutCarePlan(plan).status(); });
  }
  void PutEvent(int number, const RecordName& parent, const store::Record& parent_record) {
    RunRecords(engine_, tenant_, [&](RecordStore& records) {
      return records.PutCareEvent(EventRecord(number, NoteEvent(1, parent)), parent_record);
    });
  }

  std::vector<RecordName> Next(int carer = 1, feed::Level level = kLevel) const {
    const auto entries =
        NextVisits(*engine_.Snapshot(), tenant_, CarerName(carer).id, level, absl::FromUnixSeconds(kNow));
    EXPECT_TRUE(entries.ok()) << entries.status();
    std::vector<RecordName> names;
    for (const feed::Entry& entry : *entries) names.push_back(*NameOf(entry.position.record));
    return names;
  }
  std::vector<RecordName> NextOfKind(v1::RecordKind kind, int carer = 1, feed::Level level = kLevel) const {
    std::vector<RecordName> names = Next(carer, level);
    std::erase_if(names, [kind](const RecordName& name) { return name.kind != kind; });
    return names;
  }
  std::vector<RecordName> Visits(int carer = 1) const { return NextOfKind(v1::RECORD_KIND_VISIT, carer); }

  const int64_t kNow = fakes::AtHour(6).seconds();
  fakes::Engine engine_;
  const base::TenantId tenant_ = fakes::Tenant("acme");
};

TEST_F(NextVisitsTest, ACarerWithoutVisitsHasNone) {
  EXPECT_THAT(Next(), IsEmpty());
  EXPECT_THAT(Next(9), IsEmpty()) << "of a carer who is not known";
}

// Requirement: S1
TEST_F(NextVisitsTest, AreThoseThatStartFirstInTheirOrder) {
  std::vector<store::Record> records;
  // Later ones have lower numbers, and so come first in the feed.
  for (int i = 0; i < 12; ++i) records.push_back(Visit(50 - i, 1, {{1, 7 + i, 8 + i}}));
  Put(records);
  std::vector<RecordName> expected;
  for (size_t i = 0; i < limits::kNextVisits; ++i) expected.push_back(VisitName(50 - static_cast<int>(i)));
  EXPECT_EQ(Visits(), expected);
}

TEST_F(NextVisitsTest, BeginHalfADayAgo) {
  Put({Visit(1, 1, {{1, -7, -6}}), Visit(2, 1, {{1, -6, -5}}), Visit(3, 1, {{1, 30, 31}})});
  EXPECT_THAT(Visits(), ElementsAre(VisitName(2), VisitName(3)));
}

TEST_F(NextVisitsTest, AreOrderedByTheCarersOwnPart) {
  Put({Visit(1, 1, {{2, 7, 8}, {1, 12, 13}}), Visit(2, 1, {{1, 9, 10}, {2, 11, 12}}), Visit(3, 1, {{2, 6, 7}})});
  EXPECT_THAT(Visits(1), ElementsAre(VisitName(2), VisitName(1)));
  EXPECT_THAT(Visits(2), ElementsAre(VisitName(3), VisitName(1), VisitName(2)));
}

TEST_F(NextVisitsTest, OfACarerWithTwoPartsCountByTheFirstThatIsStillToCome) {
  Put({Visit(1, 1, {{1, -20, -19}, {1, 12, 13}}), Visit(2, 1, {{1, 10, 11}, {1, 14, 15}})});
  EXPECT_THAT(Visits(), ElementsAre(VisitName(2), VisitName(1)));
}

TEST_F(NextVisitsTest, ALongVisitIsFoundThoughManyEndBeforeIt) {
  std::vector<store::Record> records = {Visit(100, 1, {{1, 7, 7 + 48}})};
  for (int i = 0; i < 24; ++i) records.push_back(Visit(i, 1, {{1, 8 + i, 9 + i}}));
  Put(records);
  const std::vector<RecordName> visits = Visits();
  ASSERT_EQ(visits.size(), limits::kNextVisits);
  EXPECT_EQ(visits.front(), VisitName(100));
}

TEST_F(NextVisitsTest, WhatTheyReferToComesBeforeThemAndOnce) {
  Put({Visit(1, 1, {{1, 9, 10}, {2, 9, 10}}), Visit(2, 1, {{1, 11, 12}}), Visit(3, 2, {{1, 13, 14}, {3, 13, 14}})});
  EXPECT_THAT(Next(), ElementsAre(ServiceUserName(1), CarerName(1), CarerName(2), VisitName(1), VisitName(2),
                                  ServiceUserName(2), CarerName(3), VisitName(3)));
}

TEST_F(NextVisitsTest, CarePlansAndCareEventsComeLastVisitByVisit) {
  const store::Record first = Visit(1, 1, {{1, 9, 10}});
  const store::Record second = Visit(2, 2, {{1, 11, 12}});
  Put({first, second});
  PutPlan(PlanRecord(1, 2));
  PutPlan(PlanRecord(2, 1));
  PutEvent(1, VisitName(2), second);
  PutEvent(2, VisitName(1), first);
  // On the service user itself: of no visit.
  PutEvent(3, ServiceUserName(1), ServiceUserRecord(1));
  EXPECT_THAT(Next(), ElementsAre(ServiceUserName(1), CarerName(1), VisitName(1), ServiceUserName(2), VisitName(2),
                                  PlanName(2), EventName(2), PlanName(1), EventName(1)));
}

TEST_F(NextVisitsTest, AnAppOfTheFirstLevelGetsNoCarePlan) {
  Put({Visit(1, 1, {{1, 9, 10}})});
  PutPlan(PlanRecord(1, 1));
  EXPECT_THAT(NextOfKind(v1::RECORD_KIND_CARE_PLAN), ElementsAre(PlanName(1)));
  EXPECT_THAT(Next(1, 1), ElementsAre(ServiceUserName(1), CarerName(1), VisitName(1)));
}

TEST_F(NextVisitsTest, CarePlansTakeNoRoomFromTheEventsOfAnAppThatCannotKeepThem) {
  const store::Record visit = Visit(1, 1, {{1, 9, 10}});
  Put({visit});
  RunRecords(engine_, tenant_, [](RecordStore& records) -> absl::Status {
    for (size_t i = 1; i <= limits::kBatchRecords; ++i) {
      RETURN_IF_ERROR(records.PutCarePlan(PlanRecord(static_cast<int>(i), 1)).status());
    }
    return absl::OkStatus();
  });
  PutEvent(1, VisitName(1), visit);
  EXPECT_THAT(Next(1, 1), ElementsAre(ServiceUserName(1), CarerName(1), VisitName(1), EventName(1)));
}

TEST_F(NextVisitsTest, WhatIsNoMoreIsNotAmongThem) {
  store::Record cancelled = Visit(1, 1, {{1, 7, 8}});
  store::Record unpublished = Visit(2, 1, {{1, 8, 9}});
  Put({cancelled, unpublished, Visit(3, 1, {{1, 9, 10}}), Visit(4, 1, {{1, 10, 11}})});
  ASSERT_EQ(Visits().size(), 4u);
  cancelled.set_cancelled(true);
  unpublished.set_published(false);
  store::Record plan = PlanRecord(1, 1);
  PutPlan(plan);
  plan.set_deleted(true);
  PutPlan(plan);
  Put({cancelled, unpublished, Visit(3, 1, {{2, 9, 10}})});
  EXPECT_THAT(Next(), ElementsAre(ServiceUserName(1), CarerName(1), VisitName(4)));
}

TEST_F(NextVisitsTest, AreThoseOfTheFeedAlone) {
  const store::Record visit = Visit(1, 1, {{1, 9, 10}});
  Put({visit});
  // As a fan-out that is under way leaves it: the visit is known by its end, and not in the feed.
  const auto removed = engine_.Run(tenant_, [&](commit::Transaction& transaction) {
    return feed::FeedWriter(transaction).Remove(CarerFeed(1), KeyOf(VisitName(1))).status();
  });
  ASSERT_TRUE(removed.ok()) << removed.status();
  EXPECT_THAT(Next(), IsEmpty());
}

TEST_F(NextVisitsTest, OfVeryManyAtOnceTenAreFound) {
  std::vector<store::Record> records;
  for (int i = 0; i < static_cast<int>(limits::kNextVisitsLookedAt) + 20; ++i) {
    records.push_back(Visit(i, 1, {{1, 9, 10}}));
  }
  Put(records);
  EXPECT_EQ(Visits().size(), limits::kNextVisits);
}

// What is to be found, worked out from all visits that the feed holds.
TEST_F(NextVisitsTest, AreWhatAPlainLookAtAllVisitsFinds) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    std::mt19937_64 random(seed);
    const auto below = [&random](int bound) { return static_cast<int>(random() % static_cast<uint64_t>(bound)); };
    const base::TenantId tenant = fakes::Tenant(absl::StrCat("t", seed));
    std::vector<store::Record> records = {CarerRecord(1), CarerRecord(2), ServiceUserRecord(1)};
    std::vector<std::pair<int, RecordName>> starts;
    const int visits = below(40);
    for (int number = 1; number <= visits; ++number) {
      std::vector<Part> parts;
      const int base = below(72) - 24;
      for (int i = 0; i <= below(3); ++i) {
        const int from = base + below(24);
        parts.push_back({1 + below(2), from, from + 1 + below(24)});
      }
      records.push_back(Visit(number, 1, parts));
      if (below(6) == 0) records.back().set_cancelled(true);
      int first = 1000;
      for (const Part& part : parts) {
        if (part.carer == 1 && part.from >= -6) first = std::min(first, part.from);
      }
      if (first < 1000 && !records.back().cancelled()) starts.emplace_back(first, VisitName(number));
    }
    PutAll(engine_, tenant, records);
    std::sort(starts.begin(), starts.end());
    starts.resize(std::min(starts.size(), limits::kNextVisits));
    std::vector<RecordName> expected;
    for (const auto& [start, name] : starts) expected.push_back(name);
    const auto entries = NextVisits(*engine_.Snapshot(), tenant, CarerName(1).id, kLevel, absl::FromUnixSeconds(kNow));
    ASSERT_TRUE(entries.ok()) << entries.status();
    std::vector<RecordName> found;
    const std::set<RecordName> seen = fakes::SeenBy(*engine_.Snapshot(), tenant, CarerFeed(1));
    for (const feed::Entry& entry : *entries) {
      const RecordName name = *NameOf(entry.position.record);
      EXPECT_TRUE(seen.contains(name)) << "seed " << seed;
      if (name.kind == v1::RECORD_KIND_VISIT) found.push_back(name);
    }
    EXPECT_EQ(found, expected) << "seed " << seed;
  }
}

}  // namespace
}  // namespace caresync::records
