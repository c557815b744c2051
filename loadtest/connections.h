// The connections of a fleet: so many to one server, each a TCP connection of its own.
#ifndef CARESYNC_LOADTEST_CONNECTIONS_H_
#define CARESYNC_LOADTEST_CONNECTIONS_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "caresync/v1/device_sync.grpc.pb.h"
#include "grpcpp/grpcpp.h"

namespace caresync::loadtest {

// The server takes so many calls on one connection; more wait in the client.
inline constexpr size_t kCallsOfConnection = 16;

// Safe from any thread.
class Connections {
 public:
  // `server` is HOST:PORT; `count` is at least 1. Each connects at its first call.
  Connections(std::string server, size_t count);
  // One to each of these, of which there is at least one: ways to the same server.
  explicit Connections(const std::vector<std::string>& servers);

  // The first one, where there are several ways to it.
  const std::string& server() const { return server_; }
  size_t count() const { return stubs_.size(); }
  // For calls that are none of a device's: a connection of its own.
  const std::shared_ptr<grpc::Channel>& office() const { return office_; }
  // The connection of the `device`-th device. Outlived by this object.
  v1::DeviceSyncService::Stub* OfDevice(size_t device) const { return stubs_[device % stubs_.size()].get(); }

 private:
  const std::string server_;
  std::shared_ptr<grpc::Channel> office_;
  std::vector<std::unique_ptr<v1::DeviceSyncService::Stub>> stubs_;
};

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_CONNECTIONS_H_
