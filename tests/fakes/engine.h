// The whole engine below sync/ in one thread: a store in memory, a sequencer, tasks, time that a test moves.
#ifndef CARESYNC_TESTS_FAKES_ENGINE_H_
#define CARESYNC_TESTS_FAKES_ENGINE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "caresync/v1/roster.pb.h"
#include "server/base/ids.h"
#include "server/commit/sequencer.h"
#include "server/commit/subscriptions.h"
#include "server/commit/tasks.h"
#include "server/devices/syncs_under_way.h"
#include "server/outbox/dispatcher.h"
#include "server/records/closing_edge_allowance.h"
#include "server/restore/standing.h"
#include "storage/memory_store.h"
#include "tests/fakes/faulty_store.h"
#include "tests/fakes/held_mailer.h"
#include "tests/fakes/held_sender.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/manual_executor.h"
#include "tests/fakes/seeded_random.h"

namespace caresync::fakes {

// A tenant's name that a test wrote: it must be valid.
base::TenantId Tenant(std::string_view text);

// Whether an engine notes what changes of visits, looks whether devices have it, and tells who is to be told. Rows and
// tasks come with that, and a revision whenever it looks: tests of what lies below do without. Whether it keeps what
// feeds showed as well, and lets what devices hold be told.
enum class Mismatches { kNone, kNoted, kNotedWithDeliveries };

// Used by one thread. Due tasks run whenever work does; later ones when Advance lets their time come.
class Engine {
 public:
  // On a new store. What is random repeats with `seed`.
  explicit Engine(uint64_t seed = 1, Mismatches mismatches = Mismatches::kNone);
  // On a store that another engine left (`engine.memory().Copy()`), as after a crash or a restore, on a timeline of its
  // own: give it a seed of its own.
  // `now`: the time then; nullopt: when a clock begins.
  Engine(std::unique_ptr<storage::MemoryStore> memory, uint64_t seed, std::optional<absl::Time> now = std::nullopt,
         Mismatches mismatches = Mismatches::kNone);
  ~Engine();

  // Runs `change` to its end, and whatever else is ready then. The test dies where the change has no end, such as while
  // a fault holds its commit back.
  absl::StatusOr<commit::Committed> Run(const base::TenantId& tenant, commit::Change change);

  // Makes the tenant, with the preferences that are given by default.
  void CreateTenant(const base::TenantId& tenant);

  // Apps below `version` are too old from then on.
  void SetLeastApp(const base::TenantId& tenant, const std::string& version);

  // One message of changes of `source`; each change's source is set to it. Dies on an error of the whole message.
  std::vector<v1::ChangeResult> ApplyChanges(const base::TenantId& tenant, const std::string& source,
                                             std::vector<v1::RosterChange> changes);

  // One message of `source` as it is, the first of a stream. Dies as above.
  v1::ApplyChangesResponse Send(const base::TenantId& tenant, const std::string& source,
                                const v1::ApplyChangesRequest& request);

  // Lets time pass, with what falls due meanwhile.
  void Advance(absl::Duration step) { executor_.Advance(step); }

  std::unique_ptr<storage::Snapshot> Snapshot() const;
  base::Revision Head(const base::TenantId& tenant) const;

  bool keeps_deliveries() const { return keeps_deliveries_; }
  const restore::Opening& opening() const { return opening_; }
  storage::MemoryStore& memory() { return *memory_; }
  // What the engine itself uses: the store in memory, with the faults that a test asks for.
  FaultyStore& store() { return store_; }
  ManualClock& clock() { return clock_; }
  ManualExecutor& executor() { return executor_; }
  SeededRandom& random() { return random_; }
  commit::Subscriptions& subscriptions() { return subscriptions_; }
  commit::Sequencer& sequencer() { return *sequencer_; }
  // What left the outbox.
  HeldSender& sender() { return sender_; }
  HeldMailer& mailer() { return mailer_; }

 private:
  void StartTasks(Mismatches mismatches);

  std::unique_ptr<storage::MemoryStore> memory_;
  FaultyStore store_;
  ManualClock clock_;
  ManualExecutor executor_;
  SeededRandom random_;
  const bool keeps_deliveries_;
  const restore::Opening opening_;
  const devices::SyncsUnderWay syncs_under_way_;
  commit::Subscriptions subscriptions_;
  std::unique_ptr<commit::Sequencer> sequencer_;
  records::ClosingEdgeAllowance closing_edge_{clock_};
  std::unique_ptr<commit::TaskRunner> tasks_;
  HeldSender sender_;
  HeldMailer mailer_;
  std::unique_ptr<outbox::Dispatcher> dispatcher_;
};

}  // namespace caresync::fakes

#endif  // CARESYNC_TESTS_FAKES_ENGINE_H_
