#include "server/roster/care_event_stream.h"

#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/sha256.h"
#include "server/base/status_macros.h"
#include "server/base/uuid.h"
#include "server/records/care_events.h"
#include "server/records/record_store.h"
#include "server/records/review_resolution.h"
#include "server/roster/matching.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/rota.h"

namespace caresync::roster {
namespace {

class CareEventStreamTest : public testing::Test {
 protected:
  // Both sources have a carer c1, a service user u1 and a visit v1 of theirs.
  void SetUp() override {
    engine_.CreateTenant(tenant_);
    for (const char* source : {"planner", "other"}) {
      engine_.ApplyChanges(
          tenant_, source,
          {fakes::CarerChange("c1"), fakes::ServiceUserChange("u1"), fakes::VisitChange("v1", "u1", {"c1"})});
    }
  }

  base::Uuid Meant(const std::string& source, v1::RecordKind kind, const std::string& external_id) const {
    return *MeantBy(*engine_.Snapshot(), tenant_, source, kind, external_id);
  }

  // A note by `source`'s carer c1 on its visit v1. Returns its ID.
  std::string Record(fakes::Engine& engine, const std::string& source, const std::string& text = "All well") {
    v1::CareEvent event;
    const base::Uuid carer = Meant(source, v1::RECORD_KIND_CARER, "c1");
    event.set_carer_id(carer.ToString());
    *event.mutable_occurred_time() = fakes::AtHour(9);
    event.set_visit_id(Meant(source, v1::RECORD_KIND_VISIT, "v1").ToString());
    event.mutable_note()->set_text(text);
    v1::UploadedEvent upload;
    upload.set_event_id(base::Uuid::Random(engine.random()).ToString());
    upload.set_event(event.SerializeAsString());
    const absl::StatusOr<commit::Committed> committed = engine.Run(tenant_, [&](commit::Transaction& transaction) {
      records::RecordStore records(transaction);
      ASSIGN_OR_RETURN(const v1::EventResult result, records::TakeEvent(records, {device_, carer}, upload));
      EXPECT_EQ(result.outcome(), v1::EVENT_OUTCOME_ACCEPTED);
      return absl::OkStatus();
    });
    EXPECT_TRUE(committed.ok());
    return upload.event_id();
  }
  std::string Record(const std::string& source = "planner") { return Record(engine_, source); }

  v1::StreamCareEventsResponse Read(fakes::Engine& engine, std::string_view token,
                                    const std::string& source = "planner") {
    return *ReadCareEvents(*engine.Snapshot(), tenant_, source, token, sealer_);
  }
  v1::StreamCareEventsResponse Read(std::string_view token, const std::string& source = "planner") {
    return Read(engine_, token, source);
  }

  static std::vector<std::string> IdsOf(const v1::StreamCareEventsResponse& response) {
    std::vector<std::string> ids;
    for (const v1::CareEventDelivery& delivery : response.events()) ids.push_back(delivery.event_id());
    return ids;
  }

  fakes::Engine engine_;
  const base::TenantId tenant_ = fakes::Tenant("acme");
  const base::Uuid device_ = *base::Uuid::Parse("aaaaaaaa-0000-4000-8000-000000000001");
  const base::TokenSealer sealer_{std::string(32, 'k')};
};

TEST_F(CareEventStreamTest, AnEventComesWithTheSourcesOwnIds) {
  const std::string id = Record();
  const v1::StreamCareEventsResponse response = Read("");
  ASSERT_EQ(response.events_size(), 1);
  const v1::CareEventDelivery& delivery = response.events(0);
  EXPECT_EQ(delivery.event_id(), id);
  EXPECT_EQ(delivery.parent_kind(), v1::RECORD_KIND_VISIT);
  EXPECT_EQ(delivery.parent_external_id(), "v1");
  EXPECT_EQ(delivery.carer_external_id(), "c1");
  v1::CareEvent event;
  ASSERT_TRUE(event.ParseFromString(delivery.event()));
  EXPECT_EQ(event.note().text(), "All well");
  EXPECT_TRUE(response.caught_up());
  EXPECT_FALSE(response.restarted());
}

TEST_F(CareEventStreamTest, ATokenGoesOnBehindWhatWasRead) {
  const std::string first = Record();
  const v1::StreamCareEventsResponse before = Read("");
  EXPECT_EQ(IdsOf(before), std::vector<std::string>{first});
  const v1::StreamCareEventsResponse nothing = Read(before.resume_token());
  EXPECT_EQ(nothing.events_size(), 0);
  EXPECT_TRUE(nothing.caught_up());
  const std::string second = Record();
  EXPECT_EQ(IdsOf(Read(nothing.resume_token())), std::vector<std::string>{second});
  EXPECT_EQ(IdsOf(Read(before.resume_token())), std::vector<std::string>{second});
}

TEST_F(CareEventStreamTest, AnEmptyStreamHasATokenToo) {
  const v1::StreamCareEventsResponse empty = Read("");
  EXPECT_TRUE(empty.caught_up());
  const std::string id = Record();
  EXPECT_EQ(IdsOf(Read(empty.resume_token())), std::vector<std::string>{id});
}

TEST_F(CareEventStreamTest, ManyEventsComeInBatchesOnceEachAndInOrder) {
  std::vector<std::string> recorded;
  for (size_t i = 0; i < base::limits::kDeliveredEvents + 20; ++i) recorded.push_back(Record());
  std::vector<std::string> read;
  std::string token;
  for (bool caught_up = false; !caught_up;) {
    const v1::StreamCareEventsResponse response = Read(token);
    EXPECT_LE(response.events_size(), static_cast<int>(base::limits::kDeliveredEvents));
    for (const std::string& id : IdsOf(response)) read.push_back(id);
    token = response.resume_token();
    caught_up = response.caught_up();
  }
  EXPECT_EQ(read, recorded);
}

// Requirement: I3
TEST_F(CareEventStreamTest, EachSourceReadsItsOwnEvents) {
  const std::string of_planner = Record("planner");
  const std::string of_other = Record("other");
  EXPECT_EQ(IdsOf(Read("", "planner")), std::vector<std::string>{of_planner});
  EXPECT_EQ(IdsOf(Read("", "other")), std::vector<std::string>{of_other});
  EXPECT_TRUE(Read("", "nobody").events().empty());
}

TEST_F(CareEventStreamTest, ATokenServesItsSourceAndTenantOnly) {
  Record();
  const std::string token = Read("").resume_token();
  const std::string expected = base::Reason(base::errors::TokenNotValid());
  const std::unique_ptr<storage::Snapshot> snapshot = engine_.Snapshot();
  EXPECT_EQ(base::Reason(ReadCareEvents(*snapshot, tenant_, "other", token, sealer_).status()), expected);
  EXPECT_EQ(base::Reason(ReadCareEvents(*snapshot, fakes::Tenant("apex"), "planner", token, sealer_).status()),
            expected);
  EXPECT_EQ(base::Reason(ReadCareEvents(*snapshot, tenant_, "planner", token + "x", sealer_).status()), expected);
  EXPECT_EQ(base::Reason(ReadCareEvents(*snapshot, tenant_, "planner", "seven", sealer_).status()), expected);
}

TEST_F(CareEventStreamTest, AfterARestartATokenStillServes) {
  Record();
  const std::string token = Read("").resume_token();
  const std::string second = Record();
  fakes::Engine restarted(engine_.memory().Copy(), 2);
  const v1::StreamCareEventsResponse response = Read(restarted, token);
  EXPECT_FALSE(response.restarted());
  EXPECT_EQ(IdsOf(response), std::vector<std::string>{second});
}

TEST_F(CareEventStreamTest, AfterARestoreATokenOfTheLostTimeBeginsAnew) {
  const std::string first = Record();
  const std::string token_before = Read("").resume_token();
  std::unique_ptr<storage::MemoryStore> backup = engine_.memory().Copy();
  Record();
  const std::string token_of_lost_time = Read(token_before).resume_token();
  fakes::Engine restored(std::move(backup), 2);
  const std::string later = Record(restored, "planner");
  const v1::StreamCareEventsResponse anew = Read(restored, token_of_lost_time);
  EXPECT_TRUE(anew.restarted());
  EXPECT_EQ(IdsOf(anew), (std::vector<std::string>{first, later}));
  EXPECT_FALSE(Read(restored, anew.resume_token()).restarted());
  const v1::StreamCareEventsResponse from_before = Read(restored, token_before);
  EXPECT_FALSE(from_before.restarted());
  EXPECT_EQ(IdsOf(from_before), std::vector<std::string>{later});
}

TEST_F(CareEventStreamTest, AnEventThatIsForReviewIsNotDelivered) {
  v1::RosterChange cancelled = fakes::VisitChange("v1", "u1", {"c1"});
  cancelled.mutable_visit()->set_cancelled(true);
  const std::string accepted = Record();
  engine_.ApplyChanges(tenant_, "planner", {cancelled});
  EXPECT_EQ(IdsOf(Read("")), std::vector<std::string>{accepted});
}

TEST_F(CareEventStreamTest, AnEventWhoseRowIsGoneHoldsNothingUp) {
  const std::string gone = Record();
  const std::string behind = Record();
  const base::RecordKey key = records::KeyOf({v1::RECORD_KIND_CARE_EVENT, *base::Uuid::Parse(gone)});
  fakes::CommitAndWait(engine_.memory(), fakes::DeleteOf(storage::Space::kRecords, base::keys::Record(tenant_, key)));
  const absl::StatusOr<v1::StreamCareEventsResponse> response =
      ReadCareEvents(*engine_.Snapshot(), tenant_, "planner", "", sealer_);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(IdsOf(*response), std::vector<std::string>{behind});
  EXPECT_TRUE(response->caught_up());
}

// A phone may send an event in the name of a carer who never came, and a person may apply it: whatever is behind it is
// to come all the same.
TEST_F(CareEventStreamTest, AnEventOfACarerWhoIsNotKnownComesWithoutTheCarersIdAndHoldsNothingUp) {
  const base::Uuid visit = Meant("planner", v1::RECORD_KIND_VISIT, "v1");
  v1::CareEvent event;
  event.set_carer_id("bbbbbbbb-0000-4000-8000-000000000002");
  *event.mutable_occurred_time() = fakes::AtHour(9);
  event.set_visit_id(visit.ToString());
  event.mutable_note()->set_text("In another's name");
  v1::UploadedEvent upload;
  upload.set_event_id(base::Uuid::Random(engine_.random()).ToString());
  upload.set_event(event.SerializeAsString());
  const absl::StatusOr<commit::Committed> applied =
      engine_.Run(tenant_, [&](commit::Transaction& transaction) -> absl::Status {
        records::RecordStore records(transaction);
        const base::Uuid carer = Meant("planner", v1::RECORD_KIND_CARER, "c1");
        ASSIGN_OR_RETURN(const v1::EventResult result, records::TakeEvent(records, {device_, carer}, upload));
        EXPECT_EQ(result.review_reason(), v1::REVIEW_REASON_OTHER_CARER);
        const records::Ruling ruling{v1::RESOLUTION_APPLIED, std::nullopt, "", "ann"};
        return records::Resolve(records, {upload.event_id(), base::Sha256Of(upload.event())}, ruling).status();
      });
  ASSERT_TRUE(applied.ok()) << applied.status();
  const std::string behind = Record();

  const absl::StatusOr<v1::StreamCareEventsResponse> response =
      ReadCareEvents(*engine_.Snapshot(), tenant_, "planner", "", sealer_);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(IdsOf(*response), (std::vector<std::string>{upload.event_id(), behind}));
  EXPECT_EQ(response->events(0).parent_external_id(), "v1");
  EXPECT_EQ(response->events(0).carer_external_id(), "");
  EXPECT_EQ(response->events(1).carer_external_id(), "c1");
}

}  // namespace
}  // namespace caresync::roster
