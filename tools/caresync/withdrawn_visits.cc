#include "tools/caresync/withdrawn_visits.h"

#include <cstdint>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "caresync/v1/deliveries.grpc.pb.h"
#include "caresync/v1/records.pb.h"
#include "server/base/ids.h"
#include "server/base/integrated_id.h"
#include "server/base/status_macros.h"
#include "tools/caresync/carer_lookup.h"
#include "tools/caresync/errors.h"

namespace caresync::cli {
namespace {

// Those whom an import of this rota ever had, and nobody else is on its visits: their IDs begin with its name.
absl::StatusOr<std::vector<v1::CarerSummary>> CarersOf(const Connection& connection, const std::string& source,
                                                       const std::string& rota) {
  const std::string prefix = absl::StrCat(rota, "/");
  ASSIGN_OR_RETURN(std::vector<v1::CarerSummary> carers, AllCarers(connection, prefix));
  std::erase_if(carers, [&](const v1::CarerSummary& carer) {
    return carer.source() != source || !absl::StartsWith(carer.external_id(), prefix);
  });
  return carers;
}

// nullopt where the store has no such visit.
absl::StatusOr<std::optional<v1::ExplainVisitResponse>> Explain(const Connection& connection, const std::string& carer,
                                                                const std::string& visit) {
  v1::ExplainVisitRequest request;
  request.set_carer_id(carer);
  request.set_visit_id(visit);
  absl::StatusOr<v1::ExplainVisitResponse> told =
      connection.Call(Caller(), &v1::DeliveryService::Stub::ExplainVisit, request);
  if (ErrorReason(told.status()) == "VISIT_UNKNOWN") return std::optional<v1::ExplainVisitResponse>();
  RETURN_IF_ERROR(told.status());
  return *std::move(told);
}

// Gives the change that cancels `visit` the assignments that this has in the store, a carer's parts as one. False where
// there is nothing to cancel.
absl::StatusOr<bool> AddAssignments(const Connection& connection, const std::vector<v1::CarerSummary>& carers,
                                    const std::string& visit, v1::RosterVisit& cancelled) {
  for (const v1::CarerSummary& carer : carers) {
    ASSIGN_OR_RETURN(const std::optional<v1::ExplainVisitResponse> told, Explain(connection, carer.carer_id(), visit));
    if (!told.has_value() || told->fault() == v1::DELIVERY_FAULT_CANCELLED) return false;
    if (!told->has_planned()) continue;
    v1::RosterAssignment& assignment = *cancelled.add_assignments();
    assignment.set_carer(carer.external_id());
    *assignment.mutable_start_time() = told->planned().start_time();
    *assignment.mutable_end_time() = told->planned().end_time();
  }
  return true;
}

}  // namespace

absl::StatusOr<std::vector<v1::RosterChange>> FindWithdrawn(const Connection& connection, const std::string& source,
                                                            const RotaPlan& plan) {
  std::vector<v1::RosterChange> withdrawn;
  if (plan.unvisited.empty()) return withdrawn;
  ASSIGN_OR_RETURN(const base::TenantId tenant, base::TenantId::Parse(connection.options().tenant));
  ASSIGN_OR_RETURN(const std::vector<v1::CarerSummary> carers, CarersOf(connection, source, plan.name));
  // No import of this rota before.
  if (carers.empty()) return withdrawn;
  for (v1::RosterChange change : plan.unvisited) {
    const std::string visit =
        base::IntegratedId(tenant, source, static_cast<uint8_t>(v1::RECORD_KIND_VISIT), change.external_id())
            .ToString();
    ASSIGN_OR_RETURN(const bool found, AddAssignments(connection, carers, visit, *change.mutable_visit()));
    if (found) withdrawn.push_back(std::move(change));
  }
  return withdrawn;
}

}  // namespace caresync::cli
