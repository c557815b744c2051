#include "loadtest/rota_changer.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "loadtest/model.h"

namespace caresync::loadtest {
namespace {

constexpr char kSource[] = "rota";

v1::RosterChange& Add(v1::ApplyChangesRequest& request, const std::string& id) {
  v1::RosterChange& change = *request.add_changes();
  change.set_source(kSource);
  change.set_external_id(id);
  return change;
}

// Four carers and five visits, of one branch.
std::vector<v1::ApplyChangesRequest> SmallRota() {
  std::vector<v1::ApplyChangesRequest> requests(2);
  Add(requests[0], "branch").mutable_branch()->set_name("Rome");
  for (const std::string carer : {"ann", "bob", "cat", "dan"}) {
    v1::RosterCarer& record = *Add(requests[0], carer).mutable_carer();
    record.set_name(carer);
    record.set_branch("branch");
  }
  for (int i = 0; i < 5; ++i) {
    Add(requests[0], absl::StrCat("su", i)).mutable_service_user()->set_name("Ida");
    v1::RosterVisit& visit = *Add(requests[1], absl::StrCat("visit", i)).mutable_visit();
    visit.set_service_user(absl::StrCat("su", i));
    visit.set_branch("branch");
    visit.set_published(true);
    v1::RosterAssignment& assignment = *visit.add_assignments();
    assignment.set_carer("ann");
    assignment.mutable_start_time()->set_seconds(1'000 + i);
    assignment.mutable_end_time()->set_seconds(2'000 + i);
    v1::RosterPlannedActivity& activity = *visit.add_planned_activities();
    activity.set_activity_id("1");
    activity.set_activity_kind("Meal");
    activity.set_carer("ann");
  }
  return requests;
}

bool IsValid(const v1::RosterVisit& visit) {
  std::set<std::string> carers;
  for (const v1::RosterAssignment& assignment : visit.assignments()) {
    if (assignment.start_time().seconds() >= assignment.end_time().seconds()) return false;
    if (!carers.insert(assignment.carer()).second) return false;
  }
  for (const v1::RosterPlannedActivity& activity : visit.planned_activities()) {
    if (!activity.carer().empty() && !carers.contains(activity.carer())) return false;
  }
  return !carers.empty();
}

TEST(RotaChanger, ChangesEverythingThatARotaHas) {
  RotaChanger changer(SmallRota(), 1);
  std::set<std::string> seen;
  for (int i = 0; i < 200; ++i) {
    const v1::ApplyChangesRequest request = changer.Next(10);
    ASSERT_EQ(request.changes_size(), 10);
    for (const v1::RosterChange& change : request.changes()) {
      EXPECT_EQ(change.source(), kSource);
      if (change.has_carer()) seen.insert("carer");
      if (change.has_service_user()) seen.insert("service user");
      if (!change.has_visit()) continue;
      EXPECT_TRUE(IsValid(change.visit())) << change.DebugString();
      seen.insert(change.visit().published() ? "published" : "unpublished");
      if (change.visit().cancelled()) seen.insert("cancelled");
      if (change.visit().assignments_size() > 1) seen.insert("double-up");
      if (change.visit().assignments(0).carer() != "ann") seen.insert("another carer");
      if (change.external_id().find("new/") == 0) seen.insert("new visit");
    }
  }
  EXPECT_EQ(seen, (std::set<std::string>{"another carer", "cancelled", "carer", "double-up", "new visit", "published",
                                         "service user", "unpublished"}));
}

TEST(RotaChanger, MakesTheSameChangesOfTheSameSeed) {
  RotaChanger one(SmallRota(), 7);
  RotaChanger same(SmallRota(), 7);
  RotaChanger other(SmallRota(), 8);
  const std::string changes = one.Next(50).SerializeAsString();
  EXPECT_EQ(changes, same.Next(50).SerializeAsString());
  EXPECT_NE(changes, other.Next(50).SerializeAsString());
}

TEST(PrivateVisits, AreOfOneCarerEach) {
  PrivateVisits visits(SmallRota(), {"bob", "cat"}, 3);
  EXPECT_EQ(visits.count(), 6u);
  const auto first = visits.ChangeAll();
  ASSERT_EQ(first.size(), 1u);
  std::set<std::string> ids;
  for (const v1::RosterChange& change : first[0].changes()) {
    EXPECT_TRUE(IsValid(change.visit()));
    ASSERT_EQ(change.visit().assignments_size(), 1);
    ids.insert(change.external_id() + " " + change.visit().assignments(0).carer());
  }
  EXPECT_EQ(ids.size(), 6u);
}

TEST(PrivateVisits, ChangeEachTime) {
  PrivateVisits visits(SmallRota(), {"bob"}, 2);
  std::set<std::string> notes;
  for (int i = 0; i < 3; ++i) {
    for (const v1::ApplyChangesRequest& request : visits.ChangeAll()) {
      for (const v1::RosterChange& change : request.changes()) notes.insert(change.visit().notes());
    }
  }
  EXPECT_EQ(notes.size(), 6u);
  EXPECT_EQ(visits.ChangeOne().changes(0).external_id(), "private/bob/0");
  EXPECT_EQ(visits.ChangeOne().changes(0).external_id(), "private/bob/1");
  EXPECT_EQ(visits.ChangeOne().changes(0).external_id(), "private/bob/0");
}

TEST(PrivateVisits, ChangeSeveralInTurn) {
  PrivateVisits visits(SmallRota(), {"bob"}, 3);
  visits.ChangeAll();
  const v1::ApplyChangesRequest first = visits.Change(2);
  ASSERT_EQ(first.changes_size(), 2);
  EXPECT_EQ(first.changes(1).external_id(), "private/bob/1");
  const v1::ApplyChangesRequest second = visits.Change(2);
  EXPECT_EQ(second.changes(0).external_id(), "private/bob/2");
  EXPECT_EQ(second.changes(1).external_id(), "private/bob/0");
  EXPECT_NE(second.changes(1).visit().notes(), first.changes(0).visit().notes());
}

TEST(PrivateVisits, AreMovedToATime) {
  const absl::Time start = absl::FromUnixSeconds(1'800'000'000);
  PrivateVisits visits(SmallRota(), {"bob"}, 2);
  visits.MoveTo(1, start);
  const v1::RosterAssignment& part = visits.visit(1).visit().assignments(0);
  EXPECT_EQ(part.start_time().seconds(), absl::ToUnixSeconds(start));
  EXPECT_GT(part.end_time().seconds(), absl::ToUnixSeconds(start));
  EXPECT_NE(visits.visit(0).visit().assignments(0).start_time().seconds(), absl::ToUnixSeconds(start));
  EXPECT_EQ(visits.ChangeAll()[0].changes(1).visit().assignments(0).start_time().seconds(), absl::ToUnixSeconds(start));
}

TEST(ComingDays, BringNewVisitsOnLaterDays) {
  ComingDays days(SmallRota());
  std::set<std::string> ids;
  int64_t last_start = 0;
  for (int i = 0; i < 4; ++i) {
    const v1::ApplyChangesRequest request = days.Next(3);
    for (const v1::RosterChange& change : request.changes()) {
      EXPECT_TRUE(IsValid(change.visit()));
      EXPECT_TRUE(ids.insert(change.external_id()).second);
      EXPECT_GT(change.visit().assignments(0).start_time().seconds(), last_start);
      last_start = change.visit().assignments(0).start_time().seconds();
    }
  }
  EXPECT_EQ(ids.size(), 12u);
}

}  // namespace
}  // namespace caresync::loadtest
