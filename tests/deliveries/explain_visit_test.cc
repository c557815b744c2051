// What the office is told of a visit's way to a carer's phone, from what is stored.
#include "server/deliveries/explain_visit.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/records/care_events.h"
#include "server/records/window.h"
#include "tests/mismatch/mismatch_bench.h"
#include "tests/records/sample_records.h"

namespace caresync::deliveries {
namespace {

using base::keys::DevicePart;
using mismatch::At;
using mismatch::Cancelled;
using mismatch::MismatchBench;
using mismatch::Unpublished;
using mismatch::VisitAt;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kUnknown[] = "00000000-0000-4000-8000-00000000ffff";

// "SENT NO_SYNC_SINCE"; empty: none fails.
std::string Failure(const v1::ExplainVisitResponse& told) {
  if (told.failed_step() == v1::DELIVERY_STEP_UNSPECIFIED) return "";
  return absl::StrCat(v1::DeliveryStep_Name(told.failed_step()).substr(std::string("DELIVERY_STEP_").size()), " ",
                      v1::DeliveryFault_Name(told.fault()).substr(std::string("DELIVERY_FAULT_").size()));
}

v1::DeliveryStepState StateOf(const v1::ExplainVisitResponse& told, v1::DeliveryStep step) {
  for (const v1::DeliveryStepTold& of : told.steps()) {
    if (of.step() == step) return of.state();
  }
  ADD_FAILURE() << "there is no such step";
  return v1::DELIVERY_STEP_STATE_UNSPECIFIED;
}

// Ann, carer 1, uses device 1, a Pixel 6 that synced before her visit at nine, visit 1, was made. It is 06:00.
class ExplainVisitTest : public testing::Test {
 protected:
  ExplainVisitTest() {
    bench_.SignIn(1, 1);
    bench_.PutReport(1, [](store::DeviceReport& report) { report.set_device_name("Pixel 6"); });
    bench_.PutCopy(1, 1, [](store::DeviceCopy& copy) { copy.set_last_success_us(absl::ToUnixMicros(At(5))); });
    bench_.AcknowledgeAll(1, 1);
    synced_ = bench_.Head();
    NoteSync(1, v1::SYNC_OUTCOME_SUCCEEDED, synced_);
    Call(v1::CALL_STATE_SUCCEEDED);
    bench_.Put({VisitAt(1, At(9))});
  }

  absl::StatusOr<v1::ExplainVisitResponse> Ask(const std::string& carer, const std::string& visit,
                                               absl::Time now = At(6)) const {
    v1::ExplainVisitRequest request;
    request.set_carer_id(carer);
    request.set_visit_id(visit);
    return ExplainVisit(*bench_.Snapshot(), bench_.tenant(), request,
                        {.syncs = {.opening = bench_.timeline()}, .now = now});
  }
  v1::ExplainVisitResponse Explain(int carer = 1, int visit = 1, absl::Time now = At(6)) const {
    const auto told = Ask(MismatchBench::Carer(carer).ToString(), records::VisitName(visit).id.ToString(), now);
    EXPECT_TRUE(told.ok()) << told.status();
    return told.value_or(v1::ExplainVisitResponse());
  }
  std::string FailureOf(int carer = 1, int visit = 1) const { return Failure(Explain(carer, visit)); }

  // The Pixel's last one, at half past five.
  void Call(v1::CallState state, const std::string& reason = "") {
    store::DeviceCall call;
    call.set_time_us(absl::ToUnixMicros(At(5, 30)));
    call.set_state(state);
    call.set_reason(reason);
    call.set_opening(bench_.timeline());
    bench_.PutDeviceRow(1, DevicePart::kCall, call.SerializeAsString());
  }
  // Of Ann's on the Pixel, begun and ended at this revision.
  void NoteSync(uint64_t number, v1::SyncOutcome outcome, base::Revision revision) {
    store::SyncRow sync;
    sync.set_carer_id(MismatchBench::Carer(1).ToString());
    sync.set_outcome(outcome);
    sync.set_stage(v1::SYNC_STAGE_DOWNLOADING);
    sync.set_start_revision(revision);
    sync.set_end_revision(outcome == v1::SYNC_OUTCOME_SUCCEEDED ? revision : 0);
    sync.set_opening(bench_.timeline());
    const base::Uuid device = MismatchBench::DeviceUuid(1);
    bench_.Write(
        {storage::Space::kDevices, base::keys::Sync(bench_.tenant(), device, number), sync.SerializeAsString()});
    bench_.Write({storage::Space::kDevices,
                  base::keys::SyncOfCarer(bench_.tenant(), MismatchBench::Carer(1),
                                          base::ToStoredTime(At(5) + absl::Minutes(static_cast<int64_t>(number))),
                                          device, number),
                  ""});
  }
  // Ann's app says that she looked at this version of visit 1, at nine.
  void See(base::Revision version) {
    v1::CareEvent event = records::NoteEvent(1, records::VisitName(1));
    event.mutable_rota_change_seen()->set_revision(version);
    v1::UploadedEvent upload;
    upload.set_sequence(version);
    upload.set_event_id(records::EventName(static_cast<int>(version)).id.ToString());
    upload.set_event(event.SerializeAsString());
    const auto taken = bench_.Run([&](commit::Transaction& transaction) {
      records::RecordStore store(transaction);
      return records::TakeEvent(store, {MismatchBench::DeviceUuid(1), MismatchBench::Carer(1)}, upload).status();
    });
    ASSERT_TRUE(taken.ok()) << taken.status();
  }

  MismatchBench bench_;
  // What the Pixel holds.
  base::Revision synced_ = 0;
};

// ---- What the device has

TEST_F(ExplainVisitTest, AVisitThatTheDeviceAcknowledgedCameAllTheWay) {
  bench_.AcknowledgeAll(1, 1);
  const v1::ExplainVisitResponse told = Explain();
  EXPECT_EQ(Failure(told), "");
  EXPECT_TRUE(told.acknowledged());
  EXPECT_EQ(StateOf(told, v1::DELIVERY_STEP_APPLIED), v1::DELIVERY_STEP_STATE_DONE);
  EXPECT_EQ(StateOf(told, v1::DELIVERY_STEP_SEEN), v1::DELIVERY_STEP_STATE_UNKNOWN);
  EXPECT_EQ(told.headline(), "Pixel 6 has confirmed that it holds the visit as it is now.");
  EXPECT_EQ(told.advice(), "");
}

TEST_F(ExplainVisitTest, WhatWasAcknowledgedWithACopyThatDivergedIsNotKnownToBeThere) {
  bench_.AcknowledgeAll(1, 1);
  bench_.PutCopy(1, 1, [](store::DeviceCopy& copy) { copy.set_diverged(true); });
  NoteSync(2, v1::SYNC_OUTCOME_DIVERGED, bench_.Head());
  const v1::ExplainVisitResponse told = Explain();
  EXPECT_EQ(Failure(told), "APPLIED NOT_ACKNOWLEDGED");
  EXPECT_FALSE(told.acknowledged());
  EXPECT_EQ(told.acknowledged_revision(), 0u);
}

TEST_F(ExplainVisitTest, TellsTheFacts) {
  const v1::ExplainVisitResponse told = Explain();
  EXPECT_EQ(told.carer_name(), "Ann Smith");
  EXPECT_EQ(told.visit_id(), records::VisitName(1).id.ToString());
  EXPECT_EQ(base::FromTimestamp(told.planned().start_time()), At(9));
  EXPECT_EQ(told.planned().service_user_name(), "Mary White");
  EXPECT_EQ(told.device().device_name(), "Pixel 6");
  EXPECT_EQ(told.visit_revision(), bench_.Stored(1).version());
  EXPECT_EQ(told.feed_revision(), bench_.EntryOf(1, 1).position.revision);
  EXPECT_EQ(told.acknowledged_revision(), synced_);
  EXPECT_EQ(base::FromTimestamp(told.last_change_time()), At(6));
  EXPECT_FALSE(told.has_source_changed_time()) << "the rostering system did not say";
  EXPECT_FALSE(told.has_seen_time());
}

TEST_F(ExplainVisitTest, ThatTheCarerSawItIsOfThisVersion) {
  bench_.AcknowledgeAll(1, 1);
  const base::Revision first = bench_.Stored(1).version();
  See(first);
  v1::ExplainVisitResponse told = Explain();
  EXPECT_EQ(StateOf(told, v1::DELIVERY_STEP_SEEN), v1::DELIVERY_STEP_STATE_DONE);
  EXPECT_EQ(base::FromTimestamp(told.seen_time()), At(9));
  bench_.Put({VisitAt(1, At(11))});
  told = Explain();
  EXPECT_EQ(StateOf(told, v1::DELIVERY_STEP_SEEN), v1::DELIVERY_STEP_STATE_UNKNOWN);
  EXPECT_FALSE(told.has_seen_time());
}

// ---- The rota

TEST_F(ExplainVisitTest, OfACancelledVisitItSaysWhetherTheDeviceMayShowItAllTheSame) {
  bench_.AcknowledgeAll(1, 1);
  bench_.Put({Cancelled(VisitAt(1, At(9)))});
  v1::ExplainVisitResponse told = Explain();
  EXPECT_EQ(Failure(told), "PUBLISHED CANCELLED");
  EXPECT_FALSE(told.acknowledged());
  EXPECT_EQ(told.headline(), "The visit is cancelled in the rota. Pixel 6 may show it all the same.");
  EXPECT_THAT(told.advice(), HasSubstr("Tell Ann Smith by phone"));
  EXPECT_TRUE(told.has_planned()) << "it is still Ann's in the rota";
  bench_.AcknowledgeAll(1, 1);
  told = Explain();
  EXPECT_TRUE(told.acknowledged());
  EXPECT_EQ(told.headline(), "The visit is cancelled in the rota.");
  EXPECT_EQ(told.advice(), "");
}

TEST_F(ExplainVisitTest, AVisitThatIsNotPublishedOrIsSomebodyElsesStopsThere) {
  bench_.Put({Unpublished(VisitAt(1, At(9))), VisitAt(2, At(9), {2})});
  EXPECT_EQ(FailureOf(), "PUBLISHED NOT_PUBLISHED");
  const v1::ExplainVisitResponse told = Explain(1, 2);
  EXPECT_EQ(Failure(told), "ASSIGNED NOT_ASSIGNED");
  EXPECT_FALSE(told.has_planned());
  EXPECT_EQ(told.headline(), "Ann Smith is not assigned to the visit in the rota.");
}

TEST_F(ExplainVisitTest, OfAVisitTooFarAheadItSaysWhenDevicesGetIt) {
  bench_.SetWindow(absl::Hours(24), absl::Hours(24));
  bench_.Put({VisitAt(1, At(9) + absl::Hours(72), {2, 1})});
  const v1::ExplainVisitResponse told = Explain();
  EXPECT_EQ(Failure(told), "IN_WINDOW TOO_FAR_AHEAD");
  EXPECT_EQ(base::FromTimestamp(told.enters_window_time()), At(9) + absl::Hours(48));
  EXPECT_THAT(told.headline(), HasSubstr("they get it on 04 March 2026, 09:00."));
  EXPECT_EQ(base::FromTimestamp(told.planned().start_time()), At(9) + absl::Hours(72));
}

// The edge of the window is behind: nobody is told of a time that is over.
TEST_F(ExplainVisitTest, AVisitThatShouldHaveComeByNowIsWorkedOutAnew) {
  bench_.SetWindow(absl::Hours(24));
  bench_.Put({VisitAt(1, At(9) + absl::Hours(72))});
  const absl::Time enters = At(9) + absl::Hours(48);
  EXPECT_EQ(Failure(Explain(1, 1, enters - absl::Seconds(1))), "IN_WINDOW TOO_FAR_AHEAD");
  const v1::ExplainVisitResponse told = Explain(1, 1, enters);
  EXPECT_EQ(Failure(told), "IN_WINDOW WINDOW_MOVING");
  EXPECT_FALSE(told.has_enters_window_time());
}

TEST_F(ExplainVisitTest, OfAWindowWithoutABoundAnyMoreItSaysThatAllIsWorkedOutAnew) {
  bench_.SetWindow(absl::Hours(24));
  bench_.Put({VisitAt(1, At(9) + absl::Hours(72))});
  bench_.RunAlone([](commit::Transaction& transaction) {
    return records::SetWindow(transaction, {absl::ZeroDuration(), absl::ZeroDuration()});
  });
  const v1::ExplainVisitResponse told = Explain();
  EXPECT_EQ(Failure(told), "IN_WINDOW WINDOW_MOVING");
  EXPECT_FALSE(told.has_enters_window_time());
}

TEST_F(ExplainVisitTest, OfACancelledVisitItDoesNotSayWhenDevicesGetIt) {
  bench_.SetWindow(absl::Hours(24));
  bench_.Put({Cancelled(VisitAt(1, At(9) + absl::Hours(72)))});
  const v1::ExplainVisitResponse told = Explain();
  EXPECT_EQ(Failure(told), "PUBLISHED CANCELLED");
  EXPECT_FALSE(told.has_enters_window_time());
}

TEST_F(ExplainVisitTest, AVisitPastTheRetentionIsTooLongAgo) {
  bench_.SetWindow(absl::Hours(24), absl::Hours(24));
  bench_.Put({VisitAt(1, At(9) - absl::Hours(72))});
  const v1::ExplainVisitResponse told = Explain();
  EXPECT_EQ(Failure(told), "IN_WINDOW TOO_LONG_AGO");
  EXPECT_FALSE(told.has_enters_window_time());
}

// ---- The device

TEST_F(ExplainVisitTest, ACarerWithoutADeviceAndOneWhoNeverSignedInAreToldApart) {
  bench_.Put({VisitAt(1, At(9), {2})});
  v1::ExplainVisitResponse told = Explain(2);
  EXPECT_EQ(Failure(told), "DEVICE NO_DEVICE");
  EXPECT_FALSE(told.has_device());
  const auto assign = [&](int device, bool blocked) {
    bench_.PutDevice(device, [blocked](store::Device& known) {
      known.set_enrolled_time_us(1);
      known.add_carer_ids(MismatchBench::Carer(2).ToString());
      known.set_blocked(blocked);
    });
  };
  assign(7, true);
  EXPECT_EQ(FailureOf(2), "DEVICE DEVICE_BLOCKED");
  assign(8, false);
  told = Explain(2);
  EXPECT_EQ(Failure(told), "SIGNED_IN NEVER_SIGNED_IN");
  EXPECT_THAT(told.assigned_device_uuids(),
              ElementsAre(MismatchBench::DeviceUuid(8).ToString(), MismatchBench::DeviceUuid(7).ToString()));
  EXPECT_EQ(told.headline(), "Ben Jones has a device and has not signed in on it.");
  // Which devices there are does not matter where none is to hold it.
  bench_.Put({Cancelled(VisitAt(1, At(9), {2}))});
  EXPECT_EQ(FailureOf(2), "PUBLISHED CANCELLED");
  EXPECT_THAT(Explain(2).assigned_device_uuids(), testing::IsEmpty());
}

// More than are told of.
TEST_F(ExplainVisitTest, OneThatIsNotBlockedCountsHoweverManyAre) {
  bench_.Put({VisitAt(1, At(9), {2})});
  constexpr int kFirst = 20;
  constexpr int kLast = kFirst + static_cast<int>(base::limits::kMismatchDevices);
  for (int device = kFirst; device <= kLast; ++device) {
    bench_.PutDevice(device, [device](store::Device& known) {
      known.set_enrolled_time_us(1);
      known.add_carer_ids(MismatchBench::Carer(2).ToString());
      known.set_blocked(device != kLast);
    });
  }
  const v1::ExplainVisitResponse told = Explain(2);
  EXPECT_EQ(Failure(told), "SIGNED_IN NEVER_SIGNED_IN");
  EXPECT_EQ(static_cast<size_t>(told.assigned_device_uuids_size()), base::limits::kMismatchDevices);
}

TEST_F(ExplainVisitTest, WhereADeviceCannotBeReadNobodySaysThatTheCarerHasNone) {
  bench_.Put({VisitAt(1, At(9), {2})});
  bench_.PutDeviceRow(7, DevicePart::kDevice, "\xFF\xFF");
  v1::ExplainVisitResponse told = Explain(2);
  EXPECT_EQ(Failure(told), "");
  EXPECT_EQ(StateOf(told, v1::DELIVERY_STEP_DEVICE), v1::DELIVERY_STEP_STATE_UNKNOWN);
  EXPECT_THAT(told.headline(), HasSubstr("cannot be read"));
  bench_.PutDevice(8, [](store::Device& known) {
    known.set_enrolled_time_us(1);
    known.add_carer_ids(MismatchBench::Carer(2).ToString());
  });
  EXPECT_EQ(FailureOf(2), "SIGNED_IN NEVER_SIGNED_IN");
}

TEST_F(ExplainVisitTest, ADeviceThatMaySyncNoMoreFailsThere) {
  bench_.PutDevice(1, [](store::Device& device) { device.set_blocked(true); });
  EXPECT_EQ(FailureOf(), "DEVICE DEVICE_BLOCKED");
  bench_.PutDevice(1, [](store::Device& device) {
    device.set_blocked(false);
    device.clear_carer_ids();
  });
  EXPECT_EQ(FailureOf(), "DEVICE NOT_A_USER");
  store::Record left = records::CarerRecord(1, "Ann Smith");
  left.set_left(true);
  bench_.Put({left});
  EXPECT_EQ(FailureOf(), "DEVICE CARER_LEFT");
}

TEST_F(ExplainVisitTest, WhoHasAnotherDeviceThanTheBlockedOneIsToSignInThere) {
  bench_.PutDevice(1, [](store::Device& device) { device.set_blocked(true); });
  v1::ExplainVisitResponse told = Explain();
  EXPECT_EQ(Failure(told), "DEVICE DEVICE_BLOCKED");
  EXPECT_THAT(told.assigned_device_uuids(), testing::IsEmpty());
  EXPECT_THAT(told.advice(), HasSubstr("Unblock Pixel 6"));
  bench_.PutDevice(8, [](store::Device& known) {
    known.set_enrolled_time_us(1);
    known.add_carer_ids(MismatchBench::Carer(1).ToString());
  });
  told = Explain();
  EXPECT_EQ(Failure(told), "DEVICE DEVICE_BLOCKED");
  EXPECT_THAT(told.assigned_device_uuids(), ElementsAre(MismatchBench::DeviceUuid(8).ToString()));
  EXPECT_EQ(told.advice(),
            "Tell Ann Smith of the visit by phone, and ask Ann Smith to sign in on a device that is not blocked.");
}

TEST_F(ExplainVisitTest, ADeviceWhoseCredentialIsNotTakenIsNotSignedIn) {
  Call(v1::CALL_STATE_FAILED, "CREDENTIAL_EXPIRED");
  const v1::ExplainVisitResponse told = Explain();
  EXPECT_EQ(Failure(told), "SIGNED_IN CREDENTIAL_REFUSED");
  EXPECT_EQ(told.headline(), "Pixel 6 is not signed in any more: its last call was refused (CREDENTIAL_EXPIRED).");
  EXPECT_THAT(told.advice(), HasSubstr("sign in again"));
}

TEST_F(ExplainVisitTest, OfADeviceThatCannotBeReadNothingIsSaid) {
  bench_.AcknowledgeAll(1, 1);
  bench_.PutDeviceRow(1, DevicePart::kReport, "\xFF\xFF");
  const v1::ExplainVisitResponse told = Explain();
  EXPECT_EQ(Failure(told), "");
  EXPECT_FALSE(told.acknowledged());
  EXPECT_EQ(StateOf(told, v1::DELIVERY_STEP_DEVICE), v1::DELIVERY_STEP_STATE_UNKNOWN);
  EXPECT_EQ(StateOf(told, v1::DELIVERY_STEP_APPLIED), v1::DELIVERY_STEP_STATE_UNKNOWN);
  EXPECT_THAT(told.headline(), HasSubstr("cannot be read"));
  EXPECT_THAT(told.advice(), HasSubstr("Tell Ann Smith"));
}

TEST_F(ExplainVisitTest, OfACarerWhoCannotBeReadOnlyWhatTheDeviceAcknowledgedIsSaid) {
  bench_.Write({storage::Space::kRecords, base::keys::Record(bench_.tenant(), records::KeyOf(records::CarerName(1))),
                "\xFF\xFF"});
  const v1::ExplainVisitResponse told = Explain();
  EXPECT_EQ(told.carer_name(), "");
  EXPECT_EQ(told.planned().service_user_name(), "Mary White");
  EXPECT_EQ(StateOf(told, v1::DELIVERY_STEP_ASSIGNED), v1::DELIVERY_STEP_STATE_DONE);
  EXPECT_EQ(StateOf(told, v1::DELIVERY_STEP_DEVICE), v1::DELIVERY_STEP_STATE_UNKNOWN);
  EXPECT_THAT(told.headline(), HasSubstr("cannot be read"));
  bench_.AcknowledgeAll(1, 1);
  EXPECT_EQ(Explain().headline(), "Pixel 6 has confirmed that it holds the visit as it is now.");
}

TEST_F(ExplainVisitTest, AServiceUserWhoCannotBeReadLeavesOutTheNameAlone) {
  bench_.AcknowledgeAll(1, 1);
  bench_.Write({storage::Space::kRecords,
                base::keys::Record(bench_.tenant(), records::KeyOf(records::ServiceUserName(1))), "\xFF\xFF"});
  const v1::ExplainVisitResponse told = Explain();
  EXPECT_EQ(told.planned().service_user_id(), records::ServiceUserName(1).id.ToString());
  EXPECT_EQ(told.planned().service_user_name(), "");
  EXPECT_EQ(Failure(told), "");
  EXPECT_TRUE(told.acknowledged());
}

// ---- The way there

TEST_F(ExplainVisitTest, ADeviceThatIsSilentWasNotSentIt) {
  const v1::ExplainVisitResponse told = Explain();
  EXPECT_EQ(Failure(told), "SENT NO_SYNC_SINCE");
  EXPECT_EQ(StateOf(told, v1::DELIVERY_STEP_SIGNED_IN), v1::DELIVERY_STEP_STATE_DONE);
  EXPECT_EQ(StateOf(told, v1::DELIVERY_STEP_APPLIED), v1::DELIVERY_STEP_STATE_UNSPECIFIED);
  EXPECT_EQ(told.headline(),
            "Pixel 6 has not synced since the last change of 02 March 2026, 06:00: it called last on 02 March 2026, "
            "05:30.");
  EXPECT_EQ(told.advice(), "Ask Ann Smith for a manual sync, with the app open and the screen on.");
}

TEST_F(ExplainVisitTest, OneWhoseCallsFailIsSaidToDoSoWithTheReason) {
  Call(v1::CALL_STATE_FAILED, "OVERLOADED");
  const v1::ExplainVisitResponse told = Explain();
  EXPECT_EQ(Failure(told), "SENT CALLS_FAIL");
  EXPECT_EQ(told.device().last_api_call_reason(), "OVERLOADED");
  EXPECT_THAT(told.headline(), HasSubstr("its last call failed (OVERLOADED)."));
  EXPECT_EQ(told.advice(),
            "Wait a few minutes: the server had too much to do, or was being started anew, and Pixel 6 comes back by "
            "itself.");
  Call(v1::CALL_STATE_FAILED, "STREAM_CUT");
  EXPECT_THAT(Explain().advice(), HasSubstr("ideally on Wi-Fi"));
}

TEST_F(ExplainVisitTest, ASyncThatWasCutOffMayHaveBroughtItAndDidNotConfirmIt) {
  NoteSync(2, v1::SYNC_OUTCOME_INTERRUPTED, bench_.Head());
  Call(v1::CALL_STATE_FAILED, "STREAM_CUT");
  const v1::ExplainVisitResponse told = Explain();
  EXPECT_EQ(StateOf(told, v1::DELIVERY_STEP_SENT), v1::DELIVERY_STEP_STATE_UNKNOWN);
  EXPECT_EQ(Failure(told), "APPLIED NOT_ACKNOWLEDGED");
  EXPECT_THAT(told.headline(), HasSubstr("STREAM_CUT"));
}

TEST_F(ExplainVisitTest, ASyncThatIsUnderWayMayBringIt) {
  NoteSync(2, v1::SYNC_OUTCOME_UNDER_WAY, bench_.Head());
  Call(v1::CALL_STATE_UNDER_WAY);
  EXPECT_EQ(FailureOf(), "APPLIED SYNC_UNDER_WAY");
  bench_.Start();
  EXPECT_EQ(FailureOf(), "APPLIED NOT_ACKNOWLEDGED") << "its server has gone";
}

TEST_F(ExplainVisitTest, ANewCopyCountsWhenItIsWhole) {
  NoteSync(2, v1::SYNC_OUTCOME_INTERRUPTED, bench_.Head());
  bench_.PutCopy(1, 1, [](store::DeviceCopy& copy) { copy.set_rebuild_number(copy.rebuild_number() + 1); });
  EXPECT_EQ(FailureOf(), "APPLIED COPY_UNFINISHED");
}

TEST_F(ExplainVisitTest, WhatTheDeviceAcknowledgedOfAStoreThatWasLostIsNothing) {
  bench_.AcknowledgeAll(1, 1);
  bench_.PutCopy(1, 1, [](store::DeviceCopy& copy) { copy.set_timeline("of a store that was lost"); });
  Call(v1::CALL_STATE_FAILED, "WAITING_AFTER_RESTORE");
  const v1::ExplainVisitResponse told = Explain();
  EXPECT_EQ(Failure(told), "SENT WAITING_AFTER_RESTORE");
  EXPECT_EQ(told.acknowledged_revision(), 0u);
}

TEST(ExplainVisitFanOutTest, AChangeWhoseFanOutIsUnderWayIsBeingPrepared) {
  commit::CommitRoom room;
  room.moved = 1;
  MismatchBench bench(room);
  bench.SignIn(1, 1);
  bench.AcknowledgeAll(1, 1);
  bench.PutAlone({VisitAt(1, At(9), {1, 2})});
  v1::ExplainVisitRequest request;
  request.set_carer_id(MismatchBench::Carer(1).ToString());
  request.set_visit_id(records::VisitName(1).id.ToString());
  const auto told =
      ExplainVisit(*bench.Snapshot(), bench.tenant(), request, {.syncs = {.opening = bench.timeline()}, .now = At(6)});
  ASSERT_TRUE(told.ok()) << told.status();
  EXPECT_EQ(Failure(*told), "SENT BEING_PREPARED");
}

// ---- What is asked wrongly

TEST_F(ExplainVisitTest, WhatIsAskedWronglyIsRefusedByName) {
  const std::string carer = MismatchBench::Carer(1).ToString();
  const std::string visit = records::VisitName(1).id.ToString();
  EXPECT_EQ(base::Reason(Ask("ann", visit).status()), "INVALID_FIELD");
  EXPECT_EQ(base::Reason(Ask(carer, "").status()), "INVALID_FIELD");
  EXPECT_EQ(base::Reason(Ask(kUnknown, visit).status()), "CARER_UNKNOWN");
  EXPECT_EQ(base::Reason(Ask(carer, kUnknown).status()), "VISIT_UNKNOWN");
  EXPECT_EQ(base::Reason(Ask(visit, visit).status()), "CARER_UNKNOWN");
}

}  // namespace
}  // namespace caresync::deliveries
