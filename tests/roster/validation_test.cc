#include "server/roster/validation.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "server/base/errors.h"
#include "server/base/limits.h"
#include "tests/fakes/rota.h"

namespace caresync::roster {
namespace {

namespace limits = base::limits;
using fakes::AtHour;

v1::RosterChange From(v1::RosterChange change) {
  change.set_source("planner");
  return change;
}

v1::RosterChange FullServiceUser() {
  v1::RosterChange change = From(fakes::ServiceUserChange("u1", "b1"));
  v1::RosterServiceUser& user = *change.mutable_service_user();
  user.mutable_date_of_birth()->set_year(1940);
  user.mutable_date_of_birth()->set_month(2);
  user.mutable_date_of_birth()->set_day(29);
  user.set_nhs_number("9434765919");
  user.set_phone("01632 960123");
  user.set_email("mary@example.org");
  user.set_address("1 High Street\nAnytown");
  user.mutable_location()->set_latitude(51.5);
  user.mutable_location()->set_longitude(-0.1);
  return change;
}

v1::RosterChange FullVisit() {
  v1::RosterChange change = From(fakes::VisitChange("v1", "u1", {"c1", "c2"}));
  v1::RosterPlannedActivity& activity = *change.mutable_visit()->add_planned_activities();
  activity.set_activity_id("a1");
  activity.set_activity_kind("wash");
  activity.set_planned_minutes(15);
  activity.set_carer("c2");
  change.mutable_visit()->set_notes("Key safe by the door");
  *change.mutable_changed_time() = AtHour(6);
  return change;
}

v1::RosterChange FullGroup() { return From(fakes::GroupChange("g1", {"c1", "c2"})); }

// A change made wrong, and the reason and field that the refusal names.
struct Case {
  std::string name;
  std::function<void(v1::RosterChange&)> spoil;
  std::string reason;
  std::string field;
};

// What ctest shows of a case.
void PrintTo(const Case& wrong, std::ostream* out) { *out << wrong.name; }

const std::string kField = "INVALID_FIELD";

class ValidationTest : public testing::TestWithParam<Case> {
 protected:
  static void ExpectRefused(v1::RosterChange change) {
    ASSERT_TRUE(Validate(change).ok());
    GetParam().spoil(change);
    const absl::Status status = Validate(change);
    EXPECT_EQ(base::Reason(status), GetParam().reason);
    EXPECT_NE(status.message().find(GetParam().field), std::string::npos) << status.message();
  }
};

TEST(Validation, AcceptsFullRecordsOfEachKind) {
  for (const v1::RosterChange& change : {From(fakes::CareServiceChange("s1")), From(fakes::BranchChange("b1", "s1")),
                                         From(fakes::CarerChange("c1", "b1")), FullServiceUser(), FullVisit(),
                                         FullGroup(), From(fakes::GroupChange("g1", {}))}) {
    EXPECT_TRUE(Validate(change).ok()) << Validate(change);
  }
}

TEST(Validation, CountsCharactersNotBytes) {
  v1::RosterChange change = From(fakes::CarerChange("c1"));
  std::string name;
  for (size_t i = 0; i < limits::kNameCharacters; ++i) name += "\xE2\x82\xAC";
  change.mutable_carer()->set_name(name);
  EXPECT_TRUE(Validate(change).ok());
  change.mutable_carer()->set_name(name + "x");
  EXPECT_FALSE(Validate(change).ok());
}

TEST(Validation, ACarerMayHaveTwoPartsOfAVisit) {
  v1::RosterChange change = From(fakes::VisitChange("v1", "u1", {"c1", "c1"}));
  *change.mutable_visit()->mutable_assignments(1)->mutable_start_time() = AtHour(12);
  *change.mutable_visit()->mutable_assignments(1)->mutable_end_time() = AtHour(13);
  EXPECT_TRUE(Validate(change).ok());
}

TEST(Validation, AGroupMayHaveAsManyCarersAsAGroupHasMembers) {
  v1::RosterChange change = From(fakes::GroupChange("g1", {}));
  for (size_t i = 0; i < limits::kGroupMembers; ++i) change.mutable_employee_group()->add_carers(std::to_string(i));
  EXPECT_TRUE(Validate(change).ok()) << Validate(change);
}

TEST(Validation, ALeapDayIsADateInLeapYearsOnly) {
  v1::RosterChange change = FullServiceUser();
  v1::Date& date = *change.mutable_service_user()->mutable_date_of_birth();
  for (int year : {1904, 2000, 2024}) {
    date.set_year(year);
    EXPECT_TRUE(Validate(change).ok()) << year;
  }
  for (int year : {1900, 1941, 2023}) {
    date.set_year(year);
    EXPECT_FALSE(Validate(change).ok()) << year;
  }
}

TEST(Validation, ASourceIsAShortPlainName) {
  for (const char* source : {"a", "planner-2", "x.y_z"}) EXPECT_TRUE(ValidateSource(source).ok()) << source;
  for (const std::string& source :
       {std::string(), std::string("Planner"), std::string("a b"), std::string("a/b"), std::string(65, 'a')}) {
    EXPECT_EQ(base::Reason(ValidateSource(source)), kField) << source;
  }
}

TEST(Validation, AnNhsNumberHasItsCheckDigit) {
  EXPECT_TRUE(IsNhsNumber("9434765919"));
  EXPECT_TRUE(IsNhsNumber("4010232137"));
  // The remainder is 0, so the digit is 11, which counts as 0.
  EXPECT_TRUE(IsNhsNumber("0000000000"));
  EXPECT_FALSE(IsNhsNumber("9434765918"));
  EXPECT_FALSE(IsNhsNumber("943476591"));
  EXPECT_FALSE(IsNhsNumber("94347659190"));
  EXPECT_FALSE(IsNhsNumber("943 476 5919"));
  // The check digit would be 10: no number begins so.
  for (char last = '0'; last <= '9'; ++last) EXPECT_FALSE(IsNhsNumber(std::string("000000006") + last)) << last;
}

class ServiceUserValidationTest : public ValidationTest {};
TEST_P(ServiceUserValidationTest, NamesWhatIsWrong) { ExpectRefused(FullServiceUser()); }

INSTANTIATE_TEST_SUITE_P(
    Fields, ServiceUserValidationTest,
    testing::Values(
        Case{"NoSource", [](auto& c) { c.clear_source(); }, kField, "source"},
        Case{"NoExternalId", [](auto& c) { c.clear_external_id(); }, "INVALID_EXTERNAL_ID", ""},
        Case{"LongExternalId", [](auto& c) { c.set_external_id(std::string(129, 'x')); }, "INVALID_EXTERNAL_ID", ""},
        Case{"ControlInExternalId", [](auto& c) { c.set_external_id("a\nb"); }, "INVALID_EXTERNAL_ID", ""},
        Case{"C1ControlInExternalId", [](auto& c) { c.set_external_id("a\xC2\x85"); }, "INVALID_EXTERNAL_ID", ""},
        Case{"GarbledExternalId", [](auto& c) { c.set_external_id("a\xFF"); }, "INVALID_EXTERNAL_ID", ""},
        Case{"NoRecord", [](auto& c) { c.clear_record(); }, "RECORD_MISSING", ""},
        Case{"ChangedBeforeTime", [](auto& c) { c.mutable_changed_time()->set_seconds(-62135596801); }, kField,
             "changed_time"},
        Case{"NoName", [](auto& c) { c.mutable_service_user()->clear_name(); }, kField, "service_user.name"},
        Case{"LongName", [](auto& c) { c.mutable_service_user()->set_name(std::string(201, 'x')); }, kField,
             "service_user.name"},
        Case{"SurrogateInName", [](auto& c) { c.mutable_service_user()->set_name("\xED\xA0\x80"); }, kField,
             "service_user.name"},
        Case{"LongBranch", [](auto& c) { c.mutable_service_user()->set_branch(std::string(129, 'x')); }, kField,
             "service_user.branch"},
        Case{"MonthThirteen", [](auto& c) { c.mutable_service_user()->mutable_date_of_birth()->set_month(13); }, kField,
             "service_user.date_of_birth"},
        Case{"FebruaryThirtieth", [](auto& c) { c.mutable_service_user()->mutable_date_of_birth()->set_day(30); },
             kField, "service_user.date_of_birth"},
        Case{"YearZero", [](auto& c) { c.mutable_service_user()->mutable_date_of_birth()->set_year(0); }, kField,
             "service_user.date_of_birth"},
        Case{"NhsNumber", [](auto& c) { c.mutable_service_user()->set_nhs_number("9434765918"); }, kField,
             "service_user.nhs_number"},
        Case{"LongPhone", [](auto& c) { c.mutable_service_user()->set_phone(std::string(33, '1')); }, kField,
             "service_user.phone"},
        Case{"EmailWithoutAt", [](auto& c) { c.mutable_service_user()->set_email("mary.example.org"); }, kField,
             "service_user.email"},
        Case{"EmailWithTwoAts", [](auto& c) { c.mutable_service_user()->set_email("a@b@c"); }, kField,
             "service_user.email"},
        Case{"EmailOfNobody", [](auto& c) { c.mutable_service_user()->set_email("@example.org"); }, kField,
             "service_user.email"},
        Case{"LongAddress", [](auto& c) { c.mutable_service_user()->set_address(std::string(501, 'x')); }, kField,
             "service_user.address"},
        Case{"LatitudePastThePole", [](auto& c) { c.mutable_service_user()->mutable_location()->set_latitude(90.5); },
             kField, "service_user.location"},
        Case{"LongitudeIsNoNumber",
             [](auto& c) {
               c.mutable_service_user()->mutable_location()->set_longitude(std::numeric_limits<double>::quiet_NaN());
             },
             kField, "service_user.location"}),
    [](const testing::TestParamInfo<Case>& info) { return info.param.name; });

class VisitValidationTest : public ValidationTest {};
TEST_P(VisitValidationTest, NamesWhatIsWrong) { ExpectRefused(FullVisit()); }

v1::RosterAssignment& First(v1::RosterChange& change) { return *change.mutable_visit()->mutable_assignments(0); }
v1::RosterPlannedActivity& Activity(v1::RosterChange& change) {
  return *change.mutable_visit()->mutable_planned_activities(0);
}

INSTANTIATE_TEST_SUITE_P(
    Fields, VisitValidationTest,
    testing::Values(
        Case{"NoServiceUser", [](auto& c) { c.mutable_visit()->clear_service_user(); }, kField, "visit.service_user"},
        Case{"NoAssignments", [](auto& c) { c.mutable_visit()->clear_assignments(); }, kField, "visit.assignments"},
        Case{"TooManyAssignments",
             [](auto& c) {
               for (int i = 0; i < 16; ++i) *c.mutable_visit()->add_assignments() = c.visit().assignments(0);
             },
             kField, "visit.assignments"},
        Case{"NoCarer", [](auto& c) { First(c).clear_carer(); }, kField, "visit.assignments[0].carer"},
        Case{"NoStart", [](auto& c) { First(c).clear_start_time(); }, kField, "visit.assignments[0].start_time"},
        Case{"NoEnd", [](auto& c) { First(c).clear_end_time(); }, kField, "visit.assignments[0].end_time"},
        Case{"StartOutOfRange", [](auto& c) { First(c).mutable_start_time()->set_seconds(253402300800); }, kField,
             "visit.assignments[0].start_time"},
        Case{"NanosOutOfRange", [](auto& c) { First(c).mutable_end_time()->set_nanos(1000000000); }, kField,
             "visit.assignments[0].end_time"},
        Case{"EndsWhereItStarts", [](auto& c) { *First(c).mutable_end_time() = First(c).start_time(); }, kField,
             "visit.assignments[0].end_time"},
        Case{"TooLong", [](auto& c) { *First(c).mutable_end_time() = AtHour(9 + 49); }, kField, "visit.assignments"},
        Case{"PartsTooFarApart",
             [](auto& c) {
               *First(c).mutable_start_time() = AtHour(9 + 48);
               *First(c).mutable_end_time() = AtHour(10 + 48);
             },
             kField, "visit.assignments"},
        Case{"RepeatedAssignment", [](auto& c) { First(c).set_carer("c2"); }, kField, "visit.assignments[1]"},
        Case{"LongNotes", [](auto& c) { c.mutable_visit()->set_notes(std::string(4001, 'x')); }, kField, "visit.notes"},
        Case{"TooManyActivities",
             [](auto& c) {
               for (int i = 0; i < 200; ++i) c.mutable_visit()->add_planned_activities();
             },
             kField, "visit.planned_activities"},
        Case{"NoActivityId", [](auto& c) { Activity(c).clear_activity_id(); }, kField, "[0].activity_id"},
        Case{"NoActivityKind", [](auto& c) { Activity(c).clear_activity_kind(); }, kField, "[0].activity_kind"},
        Case{"LongDescription", [](auto& c) { Activity(c).set_description(std::string(2001, 'x')); }, kField,
             "[0].description"},
        Case{"NegativeMinutes", [](auto& c) { Activity(c).set_planned_minutes(-1); }, kField, "[0].planned_minutes"},
        Case{"MinutesLongerThanAnyVisit", [](auto& c) { Activity(c).set_planned_minutes(48 * 60 + 1); }, kField,
             "[0].planned_minutes"},
        Case{"ActivityOfAnotherCarer", [](auto& c) { Activity(c).set_carer("c9"); }, kField, "[0].carer"},
        Case{"ActivityIdTwice", [](auto& c) { *c.mutable_visit()->add_planned_activities() = Activity(c); }, kField,
             "[1].activity_id"}),
    [](const testing::TestParamInfo<Case>& info) { return info.param.name; });

class GroupValidationTest : public ValidationTest {};
TEST_P(GroupValidationTest, NamesWhatIsWrong) { ExpectRefused(FullGroup()); }

INSTANTIATE_TEST_SUITE_P(
    Fields, GroupValidationTest,
    testing::Values(Case{"NoName", [](auto& c) { c.mutable_employee_group()->clear_name(); }, kField,
                         "employee_group.name"},
                    Case{"LongName", [](auto& c) { c.mutable_employee_group()->set_name(std::string(201, 'x')); },
                         kField, "employee_group.name"},
                    Case{"GarbledName", [](auto& c) { c.mutable_employee_group()->set_name("a\xFF"); }, kField,
                         "employee_group.name"},
                    Case{"TooManyCarers",
                         [](auto& c) {
                           c.mutable_employee_group()->clear_carers();
                           for (int i = 0; i < 10'001; ++i) c.mutable_employee_group()->add_carers(std::to_string(i));
                         },
                         kField, "employee_group.carers: has 10001"},
                    Case{"CarerTwice", [](auto& c) { c.mutable_employee_group()->add_carers("c1"); }, kField,
                         "employee_group.carers: names a carer twice"},
                    Case{"EmptyCarer", [](auto& c) { c.mutable_employee_group()->add_carers(""); }, kField,
                         "employee_group.carers"},
                    Case{"LongCarer", [](auto& c) { c.mutable_employee_group()->add_carers(std::string(129, 'x')); },
                         kField, "employee_group.carers"},
                    Case{"GarbledCarer", [](auto& c) { c.mutable_employee_group()->add_carers("a\xFF"); }, kField,
                         "employee_group.carers"},
                    Case{"ControlInCarer", [](auto& c) { c.mutable_employee_group()->add_carers("a\nb"); }, kField,
                         "employee_group.carers"}),
    [](const testing::TestParamInfo<Case>& info) { return info.param.name; });

}  // namespace
}  // namespace caresync::roster
