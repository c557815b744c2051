#include "tests/integration/device.h"

#include <optional>
#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "absl/time/clock.h"
#include "server/base/proto_time.h"

namespace caresync::integration {

grpc::Status SyncCall::ReadToTheEnd() {
  v1::SyncResponse response;
  while (stream->Read(&response)) continue;
  return stream->Finish();
}

Device::Device(const Client& client, std::string tenant, std::string_view carer, std::string_view uuid)
    : client_(&client), tenant_(std::move(tenant)), carer_(*base::Uuid::Parse(carer)), app_(*base::Uuid::Parse(uuid)) {}

SyncCall Device::Open() const {
  SyncCall call;
  call.context = client_->Context(AsDevice(tenant_, carer_.ToString(), app_.uuid().ToString()));
  call.stream = client_->sync().Sync(call.context.get());
  return call;
}

SyncCall Device::Begin(v1::SyncType type, bool follow) {
  SyncCall call = Open();
  v1::SyncRequest start = app_.Start(carer_, type);
  start.mutable_start()->set_follow(follow);
  call.stream->Write(start);
  return call;
}

grpc::Status Device::Converse(const SyncCall& call, const std::function<void()>& recorded) {
  for (const v1::SyncRequest& upload : app_.Uploads(carer_)) call.stream->Write(upload);
  v1::SyncResponse response;
  while (call.stream->Read(&response)) {
    const std::optional<v1::SyncRequest> ack = app_.Apply(carer_, response);
    if (ack.has_value() && !response.has_sync_recorded()) call.stream->Write(*ack);
    if (response.has_sync_recorded()) recorded();
  }
  return call.stream->Finish();
}

grpc::Status Device::Sync(v1::SyncType type) {
  const uint64_t recorded_before = held().syncs_recorded;
  const SyncCall call = Begin(type);
  const grpc::Status status = Converse(call, [&call] { call.stream->WritesDone(); });
  ABSL_RAW_CHECK(!status.ok() || held().syncs_recorded == recorded_before + 1,
                 "a sync ended well, and is not recorded");
  return status;
}

grpc::Status Device::Follow(const std::function<void()>& recorded) {
  return Converse(Begin(v1::SYNC_TYPE_STANDARD, /*follow=*/true), recorded);
}

std::string Device::Note(const std::string& visit, const std::string& text) {
  v1::CareEvent event;
  event.set_visit_id(visit);
  *event.mutable_occurred_time() = base::ToTimestamp(absl::Now());
  event.mutable_note()->set_text(text);
  return app_.Record(carer_, std::move(event), random_).event_id();
}

std::vector<v1::SyncSummary> Device::History() const {
  v1::ListSyncsRequest request;
  request.set_device_uuid(app_.uuid().ToString());
  v1::ListSyncsResponse response;
  const grpc::Status status = client_->Call(client_->devices(), &v1::DeviceService::Stub::ListSyncs,
                                            As(access::Role::kSupport, tenant_), request, &response);
  // A device that never called has no history.
  ABSL_RAW_CHECK(status.ok() || ReasonOf(status) == "DEVICE_UNKNOWN", "the history cannot be read");
  return {response.syncs().begin(), response.syncs().end()};
}

}  // namespace caresync::integration
