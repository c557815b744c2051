#include "loadtest/care_work.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/base/proto_time.h"

namespace caresync::loadtest {
namespace {

// Half of what a server takes on one record.
constexpr int kEventsOfRecord = 1'000;
constexpr int kWaysToRecord = 5;

int Random(std::mt19937& random, int below) { return std::uniform_int_distribution<int>(0, below - 1)(random); }

v1::CareEvent SomeEvent(std::mt19937& random) {
  v1::CareEvent event;
  *event.mutable_occurred_time() = base::ToTimestamp(absl::Now());
  switch (Random(random, kWaysToRecord)) {
    case 0:
      event.mutable_visit_started()->mutable_location()->set_latitude(45.0);
      break;
    case 1:
      event.mutable_visit_finished();
      break;
    case 2:
      event.mutable_activity_outcome()->set_activity_id("1");
      event.mutable_activity_outcome()->set_outcome(v1::ActivityOutcome::OUTCOME_DONE);
      break;
    case 3:
      event.mutable_form_submitted()->set_form_id("observations");
      (*event.mutable_form_submitted()->mutable_answers())["pulse"] = absl::StrCat(Random(random, 100));
      break;
    default:
      event.mutable_note()->set_text(absl::StrCat("Had breakfast, ", Random(random, 1'000), " ml"));
  }
  return event;
}

}  // namespace

void CareWork::RecordOne(VirtualDevice& device, std::mt19937& random) {
  std::vector<RecordName> visits;
  for (const auto& [name, held] : device.copy().records()) {
    if (name.kind == v1::RECORD_KIND_VISIT) visits.push_back(name);
  }
  if (visits.empty()) return;
  RecordName parent = visits[static_cast<size_t>(Random(random, static_cast<int>(visits.size())))];
  v1::CareEvent event = SomeEvent(random);
  // A note may be of the service user and not of a visit.
  if (event.has_note() && Random(random, 2) == 0) {
    v1::Visit visit;
    visit.ParseFromString(device.copy().records().at(parent).payload);
    parent = {v1::RECORD_KIND_SERVICE_USER, visit.service_user_id()};
  }
  if (TakePlace(parent)) device.Record(parent, std::move(event));
}

bool CareWork::TakePlace(const RecordName& parent) {
  storage::MutexLock lock(mutex_);
  int& recorded = recorded_[parent];
  if (recorded >= kEventsOfRecord) return false;
  ++recorded;
  return true;
}

}  // namespace caresync::loadtest
