// That no session of the simulated world waits for nobody: a stall that only a timer ends, as if the device were at
// fault.
#include <algorithm>
#include <set>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "tests/simulation/simulated_world.h"

namespace caresync::simulation {
namespace {

namespace limits = base::limits;

// By then a session that nobody told has looked itself, reads that failed are tried again, and one whose device has
// left has ended.
constexpr absl::Duration kSecondLook = absl::Seconds(2);
static_assert(kSecondLook > limits::kFanOutLook && kSecondLook > limits::kSettlePause &&
              kSecondLook > limits::kHalfCloseGrace);

}  // namespace

void SimulatedWorld::CheckStalls() {
  if (!fault_.empty() || server_->store().held_back() > 0) return;
  const std::set<std::string> stalled = StalledSessions();
  if (stalled.empty()) return;
  Count("second look at who waits");
  server_->executor().Advance(kSecondLook);
  if (server_->store().held_back() > 0) return;
  for (const std::string& still : StalledSessions()) {
    if (stalled.contains(still)) Fail(absl::StrCat("a session waits for nobody: ", still));
  }
}

std::set<std::string> SimulatedWorld::StalledSessions() const {
  std::set<std::string> stalled;
  for (const auto& stream : streams_) {
    if (IsStalled(*stream)) stalled.insert(stream->facts().session_id);
  }
  return stalled;
}

bool SimulatedWorld::IsStalled(const SimulatedStream& stream) const {
  if (!stream.server_open() || stream.IsUnderWay()) return false;
  const StreamFacts& facts = stream.facts();
  // These end it, and nothing else is waited for.
  if (facts.half_close_got || facts.cut_got) return true;
  if (!stream.server_reads()) return true;
  if (!facts.head_at_start.has_value()) return false;
  return !AwaitsDevice(facts) && !AwaitsFanOuts(facts) && !AwaitsChanges(facts);
}

bool SimulatedWorld::AwaitsDevice(const StreamFacts& facts) {
  if (!facts.unanswered.empty()) return false;
  if (facts.events_answered < facts.start.unsent_events()) return true;
  // The next batch follows whether or not the last one is acknowledged, but for so many.
  if (facts.unacked.size() >= limits::kUnacknowledgedBatches) return true;
  if (facts.caught_up.has_value()) return !facts.confirmed && !facts.diverged;
  const bool owes = facts.resend_owed || !facts.drops_owed.empty();
  return owes && !facts.downloads;
}

bool SimulatedWorld::AwaitsFanOuts(const StreamFacts& facts) const {
  const base::TenantId& tenant = facts.identity.tenant;
  if (HeadOf(tenant).unsettled.contains(facts.carer) || WindowLags(tenant)) return true;
  const absl::StatusOr<std::unique_ptr<storage::Snapshot>> snapshot = server_->memory().NewSnapshot();
  bool any = false;
  const absl::Status scanned = (*snapshot)->Scan(storage::Space::kRecords, base::keys::AllFanOutScopes(tenant), 1,
                                                 [&any](std::string_view, std::string_view) { return any = true; });
  return any || !scanned.ok();
}

// A follower that is caught up, and that nothing has come for since.
bool SimulatedWorld::AwaitsChanges(const StreamFacts& facts) const {
  const bool at_rest = facts.recorded && facts.start.follow() && facts.unacked.empty() && facts.unanswered.empty();
  if (!at_rest || facts.caught_up.has_value()) return false;
  const Feed& feed = *HeadOf(facts.identity.tenant).feeds.at(facts.carer);
  const auto untold = untold_.find(facts.identity.tenant);
  return std::none_of(feed.begin(), feed.end(), [&](const auto& item) {
    const base::Revision moved = item.second.moved;
    const bool is_told = untold == untold_.end() || !untold->second.contains(moved);
    return is_told && moved > facts.position.revision && LeastLevel(item.first.first) <= facts.level;
  });
}

bool SimulatedWorld::WindowLags(const base::TenantId& tenant) const {
  const State& head = HeadOf(tenant);
  const store::WindowEdges& edges = head.edges;
  if (edges.has_anew_by_start() || edges.has_anew_by_end()) return true;
  if (!edges.has_opening()) return false;
  const absl::Time belongs = clock_.Now() - limits::kOpeningEdgeLag + absl::Seconds(edges.download_window_s());
  return std::any_of(head.records.begin(), head.records.end(), [&](const auto& record) {
    if (record.first.first != v1::RECORD_KIND_VISIT || record.second->start_us < edges.opening().time_us())
      return false;
    return edges.download_window_s() == 0 || record.second->start_us <= absl::ToUnixMicros(belongs);
  });
}

}  // namespace caresync::simulation
