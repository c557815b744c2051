// What the office writes of service users.
#include <optional>
#include <string>

#include "absl/strings/str_split.h"
#include "server/records/record_key.h"
#include "server/service_users/access_list.h"
#include "server/service_users/care_plans.h"
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

}  // namespace caresync::spec
