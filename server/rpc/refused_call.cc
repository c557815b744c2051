#include "server/rpc/refused_call.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/devices/device_rows.h"

namespace caresync::rpc {
namespace {

bool IsKnown(const storage::Store& store, const access::Identity& caller) {
  const absl::StatusOr<std::unique_ptr<storage::Snapshot>> snapshot = store.NewSnapshot();
  if (!snapshot.ok()) return false;
  const absl::StatusOr<std::optional<std::string>> row = (*snapshot)->Get(
      storage::Space::kDevices, base::keys::DeviceRow(caller.tenant, *caller.device, base::keys::DevicePart::kDevice));
  return row.ok() && row->has_value();
}

}  // namespace

void RecordRefusedCall(Edge& edge, const access::Identity& caller, const absl::Status& why,
                       std::function<void()> done) {
  absl::StatusOr<OpenCalls::Handle> entered = edge.refused_calls.Enter([](const absl::Status&) {});
  if (!entered.ok()) return done();
  // Left before `done`: nothing of the server is touched once gRPC knows of the end.
  const auto place = std::make_shared<OpenCalls::Handle>(*std::move(entered));
  edge.executor.Post([&edge, caller, reason = base::Reason(why), place, done = std::move(done)] {
    if (!IsKnown(edge.store, caller)) {
      *place = OpenCalls::Handle();
      return done();
    }
    storage::Commit commit;
    commit.durability = storage::Durability::kBuffered;
    commit.writes.push_back(devices::RefusedCallRow(caller.tenant, *caller.device, edge.clock.Now(), reason));
    edge.store.Apply(std::move(commit), [place, done](const storage::CommitResult&) {
      *place = OpenCalls::Handle();
      done();
    });
  });
}

}  // namespace caresync::rpc
