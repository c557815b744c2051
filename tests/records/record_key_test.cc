#include "server/records/record_key.h"

#include <gtest/gtest.h>

#include "tests/fakes/engine.h"
#include "tests/records/sample_records.h"

namespace caresync::records {
namespace {

TEST(RecordKey, NamesComeBackFromTheirKeys) {
  for (const RecordName& name : {CarerName(1), ServiceUserName(2), VisitName(3), EventName(4)}) {
    EXPECT_EQ(NameOf(KeyOf(name)), name);
    EXPECT_TRUE(KeyOf(name).bytes.starts_with(KeyPrefix(name.kind)));
  }
}

TEST(RecordKey, BytesOfNoKnownKindOrLengthAreNoName) {
  const std::string key = KeyOf(VisitName(1)).bytes;
  EXPECT_FALSE(NameOf({key + "x"}).has_value());
  EXPECT_FALSE(NameOf({key.substr(1)}).has_value());
  EXPECT_FALSE(NameOf({std::string(1, '\0') + key.substr(1)}).has_value());
  EXPECT_FALSE(NameOf({std::string(1, '\x63') + key.substr(1)}).has_value());
}

TEST(RecordKey, ReceiversOfCarersAndSourcesAreApart) {
  EXPECT_TRUE(IsCarer(CarerReceiver(CarerName(1).id)));
  EXPECT_FALSE(IsCarer(SourceReceiver("carers")));
  EXPECT_NE(CarerReceiver(CarerName(1).id), CarerReceiver(CarerName(2).id));
}

TEST(RecordKey, AnEventHangsOnExactlyOneRecord) {
  EXPECT_EQ(ParentOf(NoteEvent(1, VisitName(2))), VisitName(2));
  EXPECT_EQ(ParentOf(NoteEvent(1, ServiceUserName(3))), ServiceUserName(3));
  v1::CareEvent both = NoteEvent(1, VisitName(2));
  both.set_service_user_id(ServiceUserName(3).id.ToString());
  EXPECT_FALSE(ParentOf(both).has_value());
  EXPECT_FALSE(ParentOf(v1::CareEvent()).has_value());
  v1::CareEvent garbled;
  garbled.set_visit_id("seven");
  EXPECT_FALSE(ParentOf(garbled).has_value());
}

TEST(RecordKey, IntegratedIdsAreTheSameForTheSameRecordAndDifferOtherwise) {
  const base::TenantId acme = fakes::Tenant("acme");
  const base::Uuid id = IntegratedId(acme, "planner", v1::RECORD_KIND_VISIT, "7");
  EXPECT_EQ(id, IntegratedId(acme, "planner", v1::RECORD_KIND_VISIT, "7"));
  EXPECT_NE(id, IntegratedId(acme, "planner", v1::RECORD_KIND_VISIT, "8"));
  EXPECT_NE(id, IntegratedId(acme, "planner", v1::RECORD_KIND_CARER, "7"));
  EXPECT_NE(id, IntegratedId(acme, "other", v1::RECORD_KIND_VISIT, "7"));
  EXPECT_NE(id, IntegratedId(fakes::Tenant("apex"), "planner", v1::RECORD_KIND_VISIT, "7"));
}

TEST(RecordKey, AnIntegratedIdNeverChanges) {
  // Stored IDs and phones' copies depend on it.
  EXPECT_EQ(IntegratedId(fakes::Tenant("acme"), "planner", v1::RECORD_KIND_VISIT, "7").ToString(),
            "3734b855-d748-5bfb-b78d-2fbc561f3645");
}

}  // namespace
}  // namespace caresync::records
