// Records for tests of server/records/, by small numbers.
#ifndef CARESYNC_TESTS_RECORDS_SAMPLE_RECORDS_H_
#define CARESYNC_TESTS_RECORDS_SAMPLE_RECORDS_H_

#include <functional>
#include <string>
#include <vector>

#include "caresync/store/stored.pb.h"
#include "server/records/record_key.h"
#include "server/records/record_store.h"
#include "tests/fakes/engine.h"

namespace caresync::records {

RecordName CarerName(int number);
RecordName ServiceUserName(int number);
RecordName VisitName(int number);
RecordName EventName(int number);
RecordName GroupName(int number);
RecordName PlanName(int number);

store::Record CarerRecord(int number, const std::string& name = "Carer");
store::Record ServiceUserRecord(int number, const std::string& name = "Service user");
// Published, from the source "planner".
store::Record VisitRecord(int number, int service_user, const std::vector<int>& carers,
                          const std::string& notes = "notes");

// Of these carers, in this order.
store::Record GroupRecord(int number, const std::vector<int>& carers, bool dissolved = false);
store::Record PlanRecord(int number, int service_user, const std::string& text = "text");
base::ReceiverId CarerFeed(int number);
// As the holder of a grant.
base::ReceiverId GroupHolderOf(int number);

// A note by the carer on `parent`, a visit or a service user.
v1::CareEvent NoteEvent(int carer, const RecordName& parent, const std::string& text = "All well");
// That note as a record.
store::Record EventRecord(int number, const v1::CareEvent& event);

// Runs `use` in a change of the tenant; the test dies where the commit fails.
commit::Committed RunRecords(fakes::Engine& engine, const base::TenantId& tenant,
                             const std::function<absl::Status(RecordStore&)>& use);

// Puts the records in one change, and says how the last one went.
PutOutcome PutAll(fakes::Engine& engine, const base::TenantId& tenant, const std::vector<store::Record>& records);

}  // namespace caresync::records

#endif  // CARESYNC_TESTS_RECORDS_SAMPLE_RECORDS_H_
