// What shows that a carer came to a visit, or looked at it.
#include "server/records/carer_signs.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>

#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/records/care_events.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/rota.h"
#include "tests/records/sample_records.h"

namespace caresync::records {
namespace {

// The carer's event on the visit, at nine.
v1::CareEvent On(int carer, int visit) {
  v1::CareEvent event = NoteEvent(carer, VisitName(visit));
  event.clear_what();
  return event;
}
v1::CareEvent StartOf(int carer, int visit) {
  v1::CareEvent event = On(carer, visit);
  event.mutable_visit_started();
  return event;
}

TEST(IsSignTest, WhatIsDoneAtAVisitIsOne) {
  EXPECT_TRUE(IsSign(StartOf(1, 1)));
  v1::CareEvent finished = On(1, 1);
  finished.mutable_visit_finished();
  EXPECT_TRUE(IsSign(finished));
  v1::CareEvent outcome = On(1, 1);
  outcome.mutable_activity_outcome();
  EXPECT_TRUE(IsSign(outcome));
}

TEST(IsSignTest, WhatMayBeDoneAnywhereIsNone) {
  EXPECT_FALSE(IsSign(On(1, 1)));
  EXPECT_FALSE(IsSign(NoteEvent(1, VisitName(1))));
  v1::CareEvent form = On(1, 1);
  form.mutable_form_submitted();
  EXPECT_FALSE(IsSign(form));
  v1::CareEvent seen = On(1, 1);
  seen.mutable_rota_change_seen();
  EXPECT_FALSE(IsSign(seen));
}

// Visits 1 and 2 of carers 1 and 2.
class FindSignTest : public testing::Test {
 protected:
  void SetUp() override {
    PutAll(
        engine_, tenant_,
        {CarerRecord(1), CarerRecord(2), ServiceUserRecord(1), VisitRecord(1, 1, {1, 2}), VisitRecord(2, 1, {1, 2})});
  }
  // Event `number` comes from the carer's phone.
  v1::EventOutcome Take(int number, int carer, const v1::CareEvent& event) {
    v1::UploadedEvent upload;
    upload.set_sequence(static_cast<uint64_t>(number));
    upload.set_event_id(EventName(number).id.ToString());
    upload.set_event(event.SerializeAsString());
    v1::EventResult result;
    RunRecords(engine_, tenant_, [&](RecordStore& records) -> absl::Status {
      ASSIGN_OR_RETURN(result, TakeEvent(records, {device_, CarerName(carer).id}, upload));
      return absl::OkStatus();
    });
    return result.outcome();
  }
  absl::StatusOr<std::optional<CarerSign>> Find(int carer, int visit,
                                                absl::Time earliest = absl::InfinitePast()) const {
    return FindSign(*engine_.Snapshot(), tenant_, CarerName(carer).id, KeyOf(VisitName(visit)), earliest);
  }
  bool Has(int carer, int visit) const {
    const auto sign = Find(carer, visit);
    EXPECT_TRUE(sign.ok()) << sign.status();
    return sign.ok() && sign->has_value();
  }

  fakes::Engine engine_;
  const base::TenantId tenant_ = fakes::Tenant("acme");
  const base::Uuid device_ = *base::Uuid::Parse("aaaaaaaa-0000-4000-8000-000000000001");
};

TEST_F(FindSignTest, HasTheDevicesTimeAndWhenItCame) {
  engine_.Advance(absl::Hours(5));
  const absl::Time received = engine_.clock().Now();
  ASSERT_EQ(Take(1, 1, StartOf(1, 1)), v1::EVENT_OUTCOME_ACCEPTED);
  engine_.Advance(absl::Hours(1));
  const auto sign = Find(1, 1);
  ASSERT_TRUE(sign.ok() && sign->has_value()) << sign.status();
  EXPECT_EQ((*sign)->occurred, *base::FromTimestamp(fakes::AtHour(9)));
  EXPECT_EQ((*sign)->received, received);
}

TEST_F(FindSignTest, IsThatOfTheCarerOnThatVisit) {
  ASSERT_EQ(Take(1, 1, StartOf(1, 1)), v1::EVENT_OUTCOME_ACCEPTED);
  EXPECT_TRUE(Has(1, 1));
  EXPECT_FALSE(Has(2, 1));
  EXPECT_FALSE(Has(1, 2));
}

TEST_F(FindSignTest, ANoteIsNone) {
  ASSERT_EQ(Take(1, 1, NoteEvent(1, VisitName(1))), v1::EVENT_OUTCOME_ACCEPTED);
  EXPECT_FALSE(Has(1, 1));
  ASSERT_EQ(Take(2, 1, StartOf(1, 1)), v1::EVENT_OUTCOME_ACCEPTED);
  EXPECT_TRUE(Has(1, 1)) << "beside a note";
}

TEST_F(FindSignTest, IsFoundHoweverMuchAColleagueRecordedThere) {
  constexpr int kOwn = static_cast<int>(base::limits::kEventsLookedThrough) + 20;
  for (int number = 1; number <= 2 * kOwn; ++number) {
    if (number == kOwn) continue;
    ASSERT_EQ(Take(number, 2, NoteEvent(2, VisitName(1))), v1::EVENT_OUTCOME_ACCEPTED) << number;
  }
  EXPECT_FALSE(Has(1, 1));
  ASSERT_EQ(Take(kOwn, 1, StartOf(1, 1)), v1::EVENT_OUTCOME_ACCEPTED);
  EXPECT_TRUE(Has(1, 1));
}

TEST_F(FindSignTest, OneThatWaitsForReviewCounts) {
  store::Record cancelled = VisitRecord(1, 1, {1, 2});
  cancelled.set_cancelled(true);
  PutAll(engine_, tenant_, {cancelled});
  const absl::Time received = engine_.clock().Now();
  ASSERT_EQ(Take(1, 1, StartOf(1, 1)), v1::EVENT_OUTCOME_FOR_REVIEW);
  const auto sign = Find(1, 1);
  ASSERT_TRUE(sign.ok() && sign->has_value()) << sign.status();
  EXPECT_EQ((*sign)->received, received);
  EXPECT_FALSE(Has(2, 1));
}

TEST_F(FindSignTest, WhatOccurredEarlierIsPassedOver) {
  const absl::Time occurred = *base::FromTimestamp(fakes::AtHour(9));
  ASSERT_EQ(Take(1, 1, StartOf(1, 1)), v1::EVENT_OUTCOME_ACCEPTED);
  const auto at_that_time = Find(1, 1, occurred);
  ASSERT_TRUE(at_that_time.ok()) << at_that_time.status();
  EXPECT_TRUE(at_that_time->has_value());
  const auto later = Find(1, 1, occurred + absl::Microseconds(1));
  ASSERT_TRUE(later.ok()) << later.status();
  EXPECT_FALSE(later->has_value());
}

// ---- That the carer looked at it

TEST_F(FindSignTest, ThatTheCarerSawItIsOfOneVersionOfThatVisit) {
  v1::CareEvent seen = On(1, 1);
  seen.mutable_rota_change_seen()->set_revision(7);
  ASSERT_EQ(Take(1, 1, seen), v1::EVENT_OUTCOME_ACCEPTED);
  const auto find = [&](int carer, int visit, base::Revision version) {
    return FindSeen(*engine_.Snapshot(), tenant_, CarerName(carer).id, KeyOf(VisitName(visit)), version);
  };
  const auto found = find(1, 1, 7);
  ASSERT_TRUE(found.ok() && found->has_value()) << found.status();
  EXPECT_EQ((*found)->occurred, *base::FromTimestamp(fakes::AtHour(9)));
  for (const auto& other : {find(1, 1, 8), find(2, 1, 7), find(1, 2, 7)}) {
    ASSERT_TRUE(other.ok()) << other.status();
    EXPECT_FALSE(other->has_value());
  }
  EXPECT_FALSE(Has(1, 1)) << "she may have looked at it at home";
}

TEST_F(FindSignTest, AnEventThatCannotBeReadIsAnError) {
  ASSERT_EQ(Take(1, 1, StartOf(1, 1)), v1::EVENT_OUTCOME_ACCEPTED);
  const std::string key = base::keys::Record(tenant_, KeyOf(EventName(1)));
  ASSERT_EQ(fakes::CommitAndWait(engine_.memory(), fakes::PutOf(storage::Space::kRecords, key, "\xFF\xFF")).outcome,
            storage::CommitOutcome::kCommitted);
  EXPECT_EQ(base::Reason(Find(1, 1).status()), "DAMAGED_ROW");
}

}  // namespace
}  // namespace caresync::records
