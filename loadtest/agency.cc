#include "loadtest/agency.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "caresync/v1/devices.grpc.pb.h"
#include "caresync/v1/mismatches.grpc.pb.h"
#include "caresync/v1/roster.grpc.pb.h"
#include "caresync/v1/tenants.grpc.pb.h"
#include "loadtest/rota_plan.h"
#include "server/base/status_macros.h"
#include "tools/caresync/errors.h"

namespace caresync::loadtest {
namespace {

// Only a server that hangs meets it.
constexpr std::chrono::seconds kDeadline{120};
// As many as a page may have.
constexpr int kDevicesOfPage = 1'000;
constexpr int kMismatchesOfPage = 1'000;

void Prepare(grpc::ClientContext& context, const std::string& authorization) {
  context.AddMetadata("authorization", authorization);
  context.set_deadline(std::chrono::system_clock::now() + kDeadline);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Agency>> Agency::Open(const std::string& tenant, const Options& options,
                                                     const Credentials& credentials, const Connections& connections) {
  std::unique_ptr<Agency> agency(new Agency(credentials, connections));
  RETURN_IF_ERROR(agency->MakeTenant(tenant));
  RETURN_IF_ERROR(agency->ImportAll(options));
  agency->ListCarers();
  return agency;
}

absl::Status Agency::MakeTenant(const std::string& tenant) const {
  ASSIGN_OR_RETURN(const std::string authorization, credentials_.OfOperator());
  grpc::ClientContext context;
  Prepare(context, authorization);
  v1::CreateTenantRequest request;
  request.mutable_tenant()->set_tenant_id(tenant);
  v1::Tenant made;
  const auto stub = v1::TenantService::NewStub(connections_.office());
  return cli::errors::FromCall(stub->CreateTenant(&context, request, &made), connections_.server());
}

absl::Status Agency::ImportAll(const Options& options) {
  for (int i = 0; i < options.sources; ++i) {
    sources_.push_back(SourceName(i));
    ASSIGN_OR_RETURN(std::vector<v1::ApplyChangesRequest> requests, PlanRotas(options, sources_.back()));
    ASSIGN_OR_RETURN(const std::unique_ptr<RotaFeed> feed, NewFeed(static_cast<size_t>(i)));
    for (const v1::ApplyChangesRequest& request : requests) RETURN_IF_ERROR(Apply(*feed, request).status());
    RETURN_IF_ERROR(feed->Close());
    imported_.push_back(std::move(requests));
  }
  return absl::OkStatus();
}

void Agency::ListCarers() {
  std::vector<std::vector<std::string>> of_source(sources_.size());
  size_t most = 0;
  for (size_t i = 0; i < sources_.size(); ++i) {
    for (const v1::ApplyChangesRequest& request : imported_[i]) {
      for (const v1::RosterChange& change : request.changes()) {
        if (change.has_carer()) of_source[i].push_back(model_.IdOf(NameOf(change)));
      }
    }
    most = std::max(most, of_source[i].size());
  }
  for (size_t k = 0; k < most; ++k) {
    for (const std::vector<std::string>& carers : of_source) {
      if (k < carers.size()) carer_ids_.push_back(carers[k]);
    }
  }
}

absl::StatusOr<std::unique_ptr<RotaFeed>> Agency::NewFeed(size_t source) const {
  ASSIGN_OR_RETURN(const std::string authorization, credentials_.OfSource(sources_[source]));
  return std::make_unique<RotaFeed>(connections_.office(), authorization, connections_.server());
}

absl::StatusOr<v1::ApplyChangesResponse> Agency::Apply(RotaFeed& feed, const v1::ApplyChangesRequest& request) {
  ASSIGN_OR_RETURN(v1::ApplyChangesResponse response, feed.Apply(request));
  RETURN_IF_ERROR(model_.Take(request, response));
  return response;
}

absl::StatusOr<std::vector<v1::CareEventDelivery>> Agency::ReadCareEvents(const std::string& source) const {
  ASSIGN_OR_RETURN(const std::string authorization, credentials_.OfSource(source));
  grpc::ClientContext context;
  Prepare(context, authorization);
  const auto stub = v1::RosterService::NewStub(connections_.office());
  const auto stream = stub->StreamCareEvents(&context, v1::StreamCareEventsRequest());
  std::vector<v1::CareEventDelivery> events;
  bool caught_up = false;
  v1::StreamCareEventsResponse response;
  while (stream->Read(&response)) {
    for (v1::CareEventDelivery& event : *response.mutable_events()) events.push_back(std::move(event));
    caught_up = response.caught_up();
  }
  RETURN_IF_ERROR(cli::errors::FromCall(stream->Finish(), connections_.server()));
  if (!caught_up) return cli::errors::ServerBrokeProtocol("the stream of care events ended before it was caught up");
  return events;
}

absl::StatusOr<std::vector<v1::Device>> Agency::ReadDevices() const {
  ASSIGN_OR_RETURN(const std::string authorization, credentials_.OfAdministrator());
  const auto stub = v1::DeviceService::NewStub(connections_.office());
  std::vector<v1::Device> devices;
  v1::ListDevicesRequest request;
  request.set_page_size(kDevicesOfPage);
  do {
    grpc::ClientContext context;
    Prepare(context, authorization);
    v1::ListDevicesResponse page;
    RETURN_IF_ERROR(cli::errors::FromCall(stub->ListDevices(&context, request, &page), connections_.server()));
    for (v1::Device& device : *page.mutable_devices()) devices.push_back(std::move(device));
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return devices;
}

absl::StatusOr<std::vector<v1::Mismatch>> Agency::ReadMismatches() const {
  ASSIGN_OR_RETURN(const std::string authorization, credentials_.OfAdministrator());
  const auto stub = v1::MismatchService::NewStub(connections_.office());
  std::vector<v1::Mismatch> mismatches;
  v1::ListMismatchesRequest request;
  request.set_page_size(kMismatchesOfPage);
  do {
    grpc::ClientContext context;
    Prepare(context, authorization);
    v1::ListMismatchesResponse page;
    RETURN_IF_ERROR(cli::errors::FromCall(stub->ListMismatches(&context, request, &page), connections_.server()));
    for (v1::Mismatch& mismatch : *page.mutable_mismatches()) mismatches.push_back(std::move(mismatch));
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return mismatches;
}

}  // namespace caresync::loadtest
