// What the office writes of service users, and what it is told.
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "server/base/proto_time.h"
#include "server/deliveries/explain_visit.h"
#include "server/mismatch/mismatch_list.h"
#include "server/mismatch/transitions.h"
#include "server/records/record_key.h"
#include "server/service_users/access_list.h"
#include "server/service_users/care_plans.h"
#include "server/sync/unrecorded_ends.h"
#include "tests/spec/stage.h"

namespace caresync::spec {

// A person's own, and so of no source.
std::string Stage::PlanIdOf(const std::string& name) {
  const std::string id =
      base::Uuid::Derived(*base::Uuid::Parse("6ba7b811-9dad-11d1-80b4-00c04fd430c8"), name).ToString();
  names_[id] = name;
  return id;
}

absl::Status Stage::SetAccess(const Words& words) {
  v1::SetAccessRequest request;
  v1::ServiceUserAccess& access = *request.mutable_access();
  access.set_service_user_id(IdOf(v1::RECORD_KIND_SERVICE_USER, words[0]).ToString());
  for (absl::string_view holder : absl::StrSplit(words[1], ' ')) {
    const std::string name(holder);
    if (name == "nobody") continue;
    if (name.front() == 'g') {
      access.add_group_ids(IdOf(v1::RECORD_KIND_EMPLOYEE_GROUP, name).ToString());
    } else {
      access.add_carer_ids(IdOf(v1::RECORD_KIND_CARER, name).ToString());
    }
  }
  return engine_
      ->Run(tenant_,
            [&](commit::Transaction& transaction) { return service_users::SetAccess(transaction, request).status(); })
      .status();
}

absl::Status Stage::WritePlan(const Words& words) {
  v1::PutCarePlanRequest request;
  request.set_care_plan_id(PlanIdOf(words[0]));
  v1::CarePlan& plan = *request.mutable_care_plan();
  plan.set_service_user_id(IdOf(v1::RECORD_KIND_SERVICE_USER, words[1]).ToString());
  plan.set_title(words[0]);
  plan.set_text(words[2]);
  return engine_
      ->Run(tenant_,
            [&](commit::Transaction& transaction) { return service_users::PutCarePlan(transaction, request).status(); })
      .status();
}

absl::Status Stage::DeletePlan(const Words& words) {
  v1::DeleteCarePlanRequest request;
  request.set_care_plan_id(PlanIdOf(words[0]));
  return engine_
      ->Run(tenant_,
            [&](commit::Transaction& transaction) { return service_users::DeleteCarePlan(transaction, request); })
      .status();
}

absl::Status Stage::ChangesMismatch(const Words& words) {
  const auto change = [&](auto request, auto apply) {
    request.set_carer_id(IdOf(v1::RECORD_KIND_CARER, words[1]).ToString());
    request.set_visit_id(IdOf(v1::RECORD_KIND_VISIT, words[2]).ToString());
    if constexpr (std::is_same_v<decltype(request), v1::SnoozeMismatchRequest>) {
      *request.mutable_until_time() = base::ToTimestamp(engine_->clock().Now() + Amount(words[3], words[4]));
    }
    return engine_
        ->Run(tenant_,
              [&](commit::Transaction& transaction) {
                return apply(transaction, request, "alice", sync::SyncsOf(server_->parts())).status();
              })
        .status();
  };
  absl::Status status;
  if (words[0] == "closes") status = change(v1::CloseMismatchRequest(), mismatch::Close);
  if (words[0] == "snoozes") status = change(v1::SnoozeMismatchRequest(), mismatch::Snooze);
  if (words[0] == "reopens") status = change(v1::ReopenMismatchRequest(), mismatch::Reopen);
  const std::string wanted = words[5].empty() ? "OK" : words[5];
  return Render(status) == wanted ? absl::OkStatus() : absl::InternalError(absl::StrCat("it is told ", Render(status)));
}

absl::StatusOr<v1::ListMismatchesResponse> Stage::ReadMismatches(bool ended) const {
  v1::ListMismatchesRequest request;
  request.set_ended(ended);
  return mismatch::ListMismatches(*engine_->Snapshot(), tenant_, request,
                                  {.syncs = sync::SyncsOf(server_->parts()), .now = engine_->clock().Now()});
}

absl::Status Stage::Mismatches(const Words& words) {
  const absl::StatusOr<v1::ListMismatchesResponse> list = ReadMismatches(!words[0].empty());
  if (!list.ok()) return list.status();
  std::vector<std::string> told;
  for (const v1::Mismatch& mismatch : list->mismatches()) told.push_back(Render(mismatch, names_));
  const std::string all = told.empty() ? "none" : absl::StrJoin(told, "; ");
  return all == words[1] ? absl::OkStatus() : absl::InternalError(absl::StrCat("the mismatches are: ", all));
}

absl::Status Stage::MismatchFacts(const Words& words) {
  const absl::StatusOr<v1::ListMismatchesResponse> list = ReadMismatches(false);
  if (!list.ok()) return list.status();
  const std::string carer = IdOf(v1::RECORD_KIND_CARER, words[0]).ToString();
  const std::string visit = IdOf(v1::RECORD_KIND_VISIT, words[1]).ToString();
  for (const v1::Mismatch& mismatch : list->mismatches()) {
    if (mismatch.carer_id() == carer && mismatch.visit_id() == visit)
      return HasFacts(Facts(mismatch, names_), words[2]);
  }
  return absl::InternalError("there is no such mismatch");
}

absl::Status Stage::WayFacts(const Words& words) {
  v1::ExplainVisitRequest request;
  request.set_visit_id(IdOf(v1::RECORD_KIND_VISIT, words[0]).ToString());
  request.set_carer_id(IdOf(v1::RECORD_KIND_CARER, words[1]).ToString());
  const absl::StatusOr<v1::ExplainVisitResponse> told =
      deliveries::ExplainVisit(*engine_->Snapshot(), tenant_, request,
                               {.syncs = sync::SyncsOf(server_->parts()), .now = engine_->clock().Now()});
  return told.ok() ? HasFacts(Facts(*told, names_), words[2]) : told.status();
}

}  // namespace caresync::spec
