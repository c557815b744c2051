// The services of a server that does no work: what a gRPC server of the same messages can do at most.
//
// It checks no credential, stores nothing and answers with what is ready; it reads every message that comes, and parses
// the first one of a sync to know whose it is.
#ifndef CARESYNC_LOADTEST_LIMIT_LIMIT_SERVICES_H_
#define CARESYNC_LOADTEST_LIMIT_LIMIT_SERVICES_H_

#include "caresync/v1/device_sync.grpc.pb.h"
#include "caresync/v1/roster.grpc.pb.h"
#include "loadtest/limit/ready_syncs.h"

namespace caresync::loadtest {

// Thread-safe. `syncs` must outlive it. A sync that was not recorded ends with NOT_FOUND.
class LimitSyncService : public v1::DeviceSyncService::WithRawCallbackMethod_Sync<v1::DeviceSyncService::Service> {
 public:
  explicit LimitSyncService(const ReadySyncs& syncs) : syncs_(syncs) {}

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Sync(grpc::CallbackServerContext* context) override;

 private:
  const ReadySyncs& syncs_;
};

// Thread-safe. Answers every message of changes as if it had held limits::kRosterChanges new records.
class LimitRosterService : public v1::RosterService::WithRawCallbackMethod_ApplyChanges<v1::RosterService::Service> {
 public:
  LimitRosterService();

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* ApplyChanges(
      grpc::CallbackServerContext* context) override;

 private:
  grpc::ByteBuffer answer_;
};

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_LIMIT_LIMIT_SERVICES_H_
