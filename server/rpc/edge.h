// What every call shares.
#ifndef CARESYNC_SERVER_RPC_EDGE_H_
#define CARESYNC_SERVER_RPC_EDGE_H_

#include <cstddef>

#include "server/access/token_verifier.h"
#include "server/base/clock.h"
#include "server/base/executor.h"
#include "server/base/limits.h"
#include "server/base/sealed_token.h"
#include "server/commit/sequencer.h"
#include "server/commit/subscriptions.h"
#include "server/devices/device_registry.h"
#include "server/outbox/webhook_rules.h"
#include "server/rpc/open_calls.h"
#include "server/rpc/shed_calls.h"
#include "server/sync/session_driver.h"
#include "storage/store.h"

namespace caresync::rpc {

// Refused calls of devices that are being written down at once. They come from whoever comes, a crowd among them that
// there is no room for, so they may not queue up before the executor and the store without end.
inline constexpr size_t kRefusedAtOnce = 1'000;

// All that it refers to must outlive it, and it must outlive the server and the work that calls left with the executor.
struct Edge {
  storage::Store& store;
  base::Clock& clock;
  base::Executor& executor;
  commit::Sequencer& sequencer;
  commit::Subscriptions& subscriptions;
  const base::TokenSealer& sealer;
  access::TokenVerifier& verifier;
  devices::DeviceRegistry& devices;
  sync::SyncParts sync;
  // Where tenants may let webhooks point to.
  outbox::WebhookRules webhooks = {};
  bool sends_email = false;
  OpenCalls sessions{base::limits::kSessions, &sync.admission};
  OpenCalls other_calls{base::limits::kOtherCalls, &sync.admission};
  OpenCalls refused_calls{kRefusedAtOnce};
  ShedCalls shed_calls{store, clock, executor};
};

}  // namespace caresync::rpc

#endif  // CARESYNC_SERVER_RPC_EDGE_H_
