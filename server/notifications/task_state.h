// The row beside a task of this room that says when the task falls due, and how far it has come.
#ifndef CARESYNC_SERVER_NOTIFICATIONS_TASK_STATE_H_
#define CARESYNC_SERVER_NOTIFICATIONS_TASK_STATE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "observability/log.h"
#include "server/base/ids.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/commit/tasks.h"
#include "storage/store.h"

namespace caresync::notifications {

// When a task falls due whose row cannot be read: no task is due then. Whichever runs takes its place.
inline constexpr int64_t kDueNotKnown = 1;

// All zero where there is none. One that cannot be read is logged as `event`, and has a task at kDueNotKnown: neither
// rotas nor settings wait for its repair. Other errors are those of reading.
template <typename State>
absl::StatusOr<State> ReadTaskState(const storage::Reader& reader, const base::TenantId& tenant, const std::string& key,
                                    std::string_view event) {
  absl::StatusOr<std::optional<State>> state = base::GetStored<State>(reader, storage::Space::kRecords, key);
  if (absl::IsDataLoss(state.status())) {
    observability::Log(observability::Level::kError, event,
                       {{"tenant", tenant.text()}, {"error", state.status().message()}});
    State not_known;
    not_known.set_task_due_us(kDueNotKnown);
    return not_known;
  }
  RETURN_IF_ERROR(state.status());
  return (*std::move(state)).value_or(State());
}

// Whether the task with this payload is the one of the row; of a row that could not be read each is.
template <typename State>
bool IsTaskOf(const State& state, std::string_view payload) {
  return state.task_due_us() == kDueNotKnown || commit::IsTaskAt(state.task_due_us(), payload);
}

}  // namespace caresync::notifications

#endif  // CARESYNC_SERVER_NOTIFICATIONS_TASK_STATE_H_
