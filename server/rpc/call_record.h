// One call's line in the log: written once, when the call ends.
#ifndef CARESYNC_SERVER_RPC_CALL_RECORD_H_
#define CARESYNC_SERVER_RPC_CALL_RECORD_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/access/identity.h"
#include "server/base/clock.h"

namespace caresync::rpc {

// For one call; not thread-safe. `clock` must outlive it.
class CallRecord {
 public:
  // `method` such as "TenantService.GetTenant"; it must outlive the record.
  CallRecord(std::string_view method, const base::Clock& clock);

  // Whose call it is, once that is proven.
  void SetCaller(const access::Identity& caller);
  // Logs the call as ended by `status`.
  void Ended(const absl::Status& status) const;

 private:
  const std::string_view method_;
  const base::Clock& clock_;
  const absl::Duration began_;
  std::string tenant_;
  std::string device_;
};

}  // namespace caresync::rpc

#endif  // CARESYNC_SERVER_RPC_CALL_RECORD_H_
