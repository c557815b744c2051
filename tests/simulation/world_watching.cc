// Somebody in each tenant's office watches mismatches, with pauses, and keeps what was told: that is what the lists
// hold, whatever became of the server and its store meanwhile.
#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "caresync/v1/mismatches.pb.h"
#include "server/base/proto_time.h"
#include "server/mismatch/mismatch_watch.h"
#include "tests/simulation/simulated_world.h"

namespace caresync::simulation {
namespace {

constexpr int kMessagesMost = 1'000;

// Without what nobody is told of when it becomes another: what the time, a device's call or a name makes of it.
std::string AsKept(v1::Mismatch mismatch) {
  mismatch.clear_carer_name();
  mismatch.clear_state();
  mismatch.clear_next_state_time();
  mismatch.clear_cause();
  mismatch.clear_device();
  mismatch.clear_other_devices();
  mismatch.clear_headline();
  mismatch.clear_advice();
  if (mismatch.has_from()) mismatch.mutable_from()->clear_service_user_name();
  if (mismatch.has_to()) mismatch.mutable_to()->clear_service_user_name();
  return mismatch.SerializeAsString();
}

}  // namespace

void SimulatedWorld::ReadOn(const base::TenantId& tenant, Watcher& watcher) {
  const absl::StatusOr<std::unique_ptr<storage::Snapshot>> snapshot = server_->memory().NewSnapshot();
  if (!snapshot.ok()) return Fail("no snapshot");
  for (int i = 0; i < kMessagesMost; ++i) {
    const absl::StatusOr<v1::WatchMismatchesResponse> read = mismatch::WatchMismatches(
        **snapshot, tenant, watcher.token, server_->sealer(), {{.opening = server_->opening()}, clock_.Now()});
    if (!read.ok()) return Fail(absl::StrCat("mismatches cannot be watched: ", read.status().ToString()));
    if (read->restarted()) {
      Count("watcher of mismatches begins anew");
      if (!watcher.restored) Fail("mismatches are told from the beginning without a restore");
      watcher.told.clear();
    }
    for (const v1::Mismatch& mismatch : read->mismatches()) {
      Count("mismatch told");
      watcher.told.insert_or_assign({mismatch.carer_id(), mismatch.visit_id()}, mismatch);
    }
    watcher.token = read->resume_token();
    if (read->caught_up()) return;
  }
  Fail("there is no end to what is told of mismatches");
}

void SimulatedWorld::CompareWatcher(const base::TenantId& tenant, const ListedMismatches& listed) {
  Watcher& watcher = watchers_[tenant];
  ReadOn(tenant, watcher);
  // Whoever begins now is told of those that are open or snoozed, and of no others.
  Watcher anew;
  ReadOn(tenant, anew);
  if (anew.told.size() != listed.open.size()) Fail("who begins to watch is told of other mismatches than are open");
  std::set<std::pair<std::string, std::string>> all;
  for (const auto* list : {&listed.open, &listed.resolved}) {
    for (const v1::Mismatch& mismatch : *list) {
      const std::pair<std::string, std::string> of = {mismatch.carer_id(), mismatch.visit_id()};
      all.insert(of);
      const bool is_open = list == &listed.open;
      if (is_open && !anew.told.contains(of)) Fail("who begins to watch is not told of an open mismatch");
      const auto told = watcher.told.find(of);
      // It may have ended before the watcher began.
      if (told == watcher.told.end() && !is_open) continue;
      if (told == watcher.told.end()) {
        Fail("a watcher was not told of an open mismatch");
      } else if (AsKept(told->second) != AsKept(mismatch)) {
        Fail("a mismatch is listed otherwise than it was told");
      }
    }
  }
  for (const auto& [of, told] : watcher.told) {
    if (!all.contains(of) && base::FromTimestamp(told.kept_until_time()) > std::max(latest_, clock_.Now())) {
      Fail("a mismatch that was told is in no list");
    }
  }
}

}  // namespace caresync::simulation
