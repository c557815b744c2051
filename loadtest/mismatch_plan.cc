#include "loadtest/mismatch_plan.h"

#include <utility>

#include "absl/time/clock.h"
#include "server/base/status_macros.h"

namespace caresync::loadtest {
namespace {

int ForEach(size_t count, size_t carers) { return static_cast<int>((count + carers - 1) / carers); }

}  // namespace

absl::Duration TimeToTake(size_t changes) {
  return absl::Seconds(10) + absl::Milliseconds(2) * static_cast<int64_t>(changes);
}

absl::Time NextSecond(absl::Time time) {
  const absl::Time second = absl::FromUnixSeconds(absl::ToUnixSeconds(time));
  return second == time ? time : second + absl::Seconds(1);
}

Instant InstantOf(absl::Time time) { return Now() + absl::ToChronoNanoseconds(time - absl::Now()); }

void AddLateness(const std::string& whose, const Lateness& lateness, Phase& phase) {
  phase.others[whose + "due to open"].Merge(lateness.opened);
  phase.others[whose + "due to told"].Merge(lateness.told);
}

MismatchPlan::MismatchPlan(Stage& stage, size_t count)
    : stage_(stage),
      carers_(CarersWithDevices(stage)),
      visits_(stage.agency.imported(0), carers_, ForEach(count, carers_.size())) {}

absl::Status MismatchPlan::SendAll() {
  ASSIGN_OR_RETURN(const std::unique_ptr<RotaFeed> feed, stage_.agency.NewFeed(0));
  for (const v1::ApplyChangesRequest& request : visits_.ChangeAll()) {
    RETURN_IF_ERROR(stage_.agency.Apply(*feed, request).status());
  }
  return feed->Close();
}

Starts MismatchPlan::StartsOfFirst(size_t count) const {
  const Model& model = stage_.agency.model();
  Starts starts;
  for (size_t i = 0; i < count; ++i) {
    const v1::RosterChange& change = visits_.visit(i);
    const v1::RosterAssignment& part = change.visit().assignments(0);
    const CarerVisit of = {model.IdOf({change.source(), v1::RECORD_KIND_CARER, part.carer()}),
                           model.IdOf({change.source(), v1::RECORD_KIND_VISIT, change.external_id()})};
    starts[of] = absl::FromUnixSeconds(part.start_time().seconds());
  }
  return starts;
}

absl::Status MismatchPlan::BeginToWatch() {
  ASSIGN_OR_RETURN(const std::string authorization, stage_.credentials.OfAdministrator());
  watch_ = std::make_unique<MismatchWatch>(stage_.connections.office(), authorization, stage_.connections.server());
  return absl::OkStatus();
}

absl::Status MismatchPlan::Compare(const Starts& starts) {
  RETURN_IF_ERROR(watch_->End());
  ASSIGN_OR_RETURN(const std::vector<v1::Mismatch> open, stage_.agency.ReadMismatches());
  std::set<CarerVisit> listed;
  for (const v1::Mismatch& mismatch : open) listed.insert({mismatch.carer_id(), mismatch.visit_id()});
  std::set<std::string> carers;
  for (const std::string& carer : carers_) {
    carers.insert(stage_.agency.model().IdOf({stage_.agency.sources()[0], v1::RECORD_KIND_CARER, carer}));
  }
  // Of a run that was stopped nobody knows what was to come.
  if (StopWished()) return absl::OkStatus();
  for (std::string& fault : FaultsOfMismatches(starts, watch_->told(), listed, carers)) {
    stage_.faults.Add(std::move(fault));
  }
  return absl::OkStatus();
}

}  // namespace caresync::loadtest
