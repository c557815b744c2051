// An app on a phone, and what becomes of a stream that it opens.
#ifndef CARESYNC_TESTS_INTEGRATION_DEVICE_H_
#define CARESYNC_TESTS_INTEGRATION_DEVICE_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "caresync/v1/device_sync.grpc.pb.h"
#include "caresync/v1/devices.pb.h"
#include "grpcpp/grpcpp.h"
#include "server/base/random.h"
#include "server/base/uuid.h"
#include "tests/fakes/test_device.h"
#include "tests/integration/client.h"

namespace caresync::integration {

using SyncStream = grpc::ClientReaderWriter<v1::SyncRequest, v1::SyncResponse>;

// One call of Sync, which a test may treat as badly as it likes.
struct SyncCall {
  std::unique_ptr<grpc::ClientContext> context;
  std::unique_ptr<SyncStream> stream;

  // Reads what comes, says nothing, and returns how the stream ended.
  grpc::Status ReadToTheEnd();
};

// Of one carer. Used by one thread at a time.
class Device {
 public:
  // `client` must outlive it.
  Device(const Client& client, std::string tenant, std::string_view carer, std::string_view uuid);

  // From now on it calls this server, as after one that is gone; `client` must outlive it.
  void UseServer(const Client& client) { client_ = &client; }

  const base::Uuid& uuid() const { return app_.uuid(); }
  // What the server did against the contract.
  const std::vector<std::string>& faults() const { return app_.faults(); }
  fakes::TestDevice::CarerData& held() { return app_.of(carer_); }

  // A stream on which nothing was said.
  SyncCall Open() const;
  // A stream on which `start` was said and nothing else.
  SyncCall Begin(v1::SyncType type = v1::SYNC_TYPE_STANDARD, bool follow = false);
  // A whole sync as an app does it. OK: the server said that it is recorded.
  grpc::Status Sync(v1::SyncType type = v1::SYNC_TYPE_STANDARD);
  // Follows until the stream ends, and calls `recorded` each time that the server said that a sync is.
  grpc::Status Follow(const std::function<void()>& recorded);
  // A note on `visit`, which the next sync sends; its event ID.
  std::string Note(const std::string& visit, const std::string& text);
  // Its syncs as the office sees them, newest first.
  std::vector<v1::SyncSummary> History() const;

 private:
  // Uploads, reads and acks until the stream ends.
  grpc::Status Converse(const SyncCall& call, const std::function<void()>& recorded);

  const Client* client_;
  const std::string tenant_;
  const base::Uuid carer_;
  fakes::TestDevice app_;
  base::SystemRandom random_;
};

}  // namespace caresync::integration

#endif  // CARESYNC_TESTS_INTEGRATION_DEVICE_H_
