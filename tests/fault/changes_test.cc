// Power cuts under the engine: what a rostering system was answered is there, with the feeds of those whom it concerns.
#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "caresync/v1/tenants.pb.h"
#include "server/base/executor.h"
#include "server/commit/sequencer.h"
#include "server/commit/subscriptions.h"
#include "server/commit/timeline.h"
#include "server/records/record_key.h"
#include "server/records/record_store.h"
#include "server/roster/matching.h"
#include "server/roster/take_message.h"
#include "server/tenants/tenants.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/feeds.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/rota.h"
#include "tests/fakes/seeded_random.h"
#include "tests/fakes/temporary_directory.h"
#include "tests/fault/power_cuts.h"

namespace caresync::fault {
namespace {

using commit::Transaction;

constexpr char kSource[] = "rota";
constexpr int kVisitsOfAMessage = 3;
// The tenant, then its carers and service user, then one for each message of visits.
constexpr uint64_t kRevisionsBefore = 2;
constexpr int kMessagesOfALife = 15;

constexpr const char* kCarers[] = {"ann", "bob"};

std::string VisitOf(uint64_t message, int visit) { return absl::StrCat("visit-", message, "-", visit); }

// A server's engine without its tasks, on a store that outlives it. Used by one thread.
class Engine {
 public:
  Engine(storage::Store& store, uint64_t seed)
      : random_(seed),
        timeline_(commit::NewTimeline(random_)),
        sequencer_(store, clock_, random_, executor_, subscriptions_, timeline_) {}
  ~Engine() { sequencer_.WaitUntilIdle(); }

  // Runs a change, and notes that it was begun and that it was answered.
  void Run(commit::Change change, Reached& reached) {
    ++reached.begun;
    std::promise<absl::StatusOr<commit::Committed>> promise;
    sequencer_.Submit(tenant_, std::move(change), [&promise](absl::StatusOr<commit::Committed> committed) {
      promise.set_value(std::move(committed));
    });
    const absl::StatusOr<commit::Committed> committed = promise.get_future().get();
    ASSERT_TRUE(committed.ok()) << committed.status();
    ASSERT_EQ(committed->head.revision, reached.begun.load());
    reached.durable = committed->head.revision;
  }

  void CreateTenant(Reached& reached) {
    Run(
        [this](Transaction& transaction) {
          v1::Tenant request;
          request.set_tenant_id(tenant_.text());
          return tenants::CreateTenant(transaction, request).status();
        },
        reached);
  }

  void Send(std::vector<v1::RosterChange> changes, Reached& reached) {
    v1::ApplyChangesRequest request;
    for (v1::RosterChange& change : changes) {
      change.set_source(kSource);
      *request.add_changes() = std::move(change);
    }
    Run(
        [&](Transaction& transaction) {
          return roster::TakeMessage(transaction, {kSource, timeline_}, true, request).status();
        },
        reached);
  }

 private:
  const base::TenantId tenant_ = fakes::Tenant("acme");
  fakes::ManualClock clock_;
  fakes::SeededRandom random_;
  const std::string timeline_;
  commit::Subscriptions subscriptions_;
  base::ThreadExecutor executor_{2};
  commit::Sequencer sequencer_;
};

// The rest of a life: whatever is missing of the beginning, and more visits.
void Work(storage::Store& store, uint64_t seed, Reached& reached) {
  Engine engine(store, seed);
  if (reached.begun == 0) {
    ASSERT_NO_FATAL_FAILURE(engine.CreateTenant(reached));
  }
  if (reached.begun == 1) {
    ASSERT_NO_FATAL_FAILURE(
        engine.Send({fakes::CarerChange("ann"), fakes::CarerChange("bob"), fakes::ServiceUserChange("su")}, reached));
  }
  for (int i = 0; i < kMessagesOfALife; ++i) {
    const uint64_t message = reached.begun - kRevisionsBefore;
    std::vector<v1::RosterChange> visits;
    for (int visit = 0; visit < kVisitsOfAMessage; ++visit) {
      visits.push_back(fakes::VisitChange(VisitOf(message, visit), "su", {kCarers[(message + visit) % 2]}));
      visits.back().mutable_visit()->set_notes(std::string(1'000 + seed % 1'000, 'n'));
    }
    ASSERT_NO_FATAL_FAILURE(engine.Send(std::move(visits), reached));
  }
}

// Whether the visits of a message are there, each with its record: all of them or none.
void ExpectMessage(const storage::Reader& reader, const base::TenantId& tenant, uint64_t message, bool there) {
  for (int visit = 0; visit < kVisitsOfAMessage; ++visit) {
    const auto match = roster::FindMatch(reader, tenant, kSource, v1::RECORD_KIND_VISIT, VisitOf(message, visit));
    ASSERT_TRUE(match.ok()) << match.status();
    ASSERT_EQ(match->has_value(), there) << VisitOf(message, visit);
    if (!there) continue;
    const auto record = records::GetRecord(reader, tenant, records::KeyOf({v1::RECORD_KIND_VISIT, **match}));
    ASSERT_TRUE(record.ok()) << record.status();
    EXPECT_TRUE(record->has_value()) << VisitOf(message, visit);
  }
}

void ExpectWhole(const PowerCut& cut) {
  const fakes::TemporaryDirectory parent;
  Restore(cut, parent / "store");
  StoreWithPower again(parent / "store");
  ASSERT_TRUE(again.opened().ok()) << again.opened().status();
  const auto snapshot = again.store().NewSnapshot();
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  const base::TenantId tenant = fakes::Tenant("acme");
  const auto head = commit::ReadHead(**snapshot, tenant);
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_GE(head->revision, cut.durable);
  EXPECT_LE(head->revision, cut.begun);
  const uint64_t messages = head->revision > kRevisionsBefore ? head->revision - kRevisionsBefore : 0;
  for (uint64_t message = 0; message < messages; ++message) ExpectMessage(**snapshot, tenant, message, true);
  ExpectMessage(**snapshot, tenant, messages, false);
  if (head->revision < kRevisionsBefore) return;
  for (const char* carer : kCarers) {
    const auto id = roster::FindMatch(**snapshot, tenant, kSource, v1::RECORD_KIND_CARER, carer);
    ASSERT_TRUE(id.ok() && id->has_value()) << carer;
    // It is checked while it is read: entries, places, count and sum.
    EXPECT_FALSE(fakes::HeldBy(**snapshot, tenant, records::CarerReceiver(**id)).empty());
  }
}

// What two lives of a store leave: the second one begins with what the first one had, on one disk.
class TwoLives {
 public:
  explicit TwoLives(uint64_t seed) : cuts_(parent_ / "store", reached_, seed) {
    for (int life = 0; life < 2; ++life) {
      second_ = cuts_.cuts().size();
      begun_before_ = reached_.begun;
      StoreWithPower store(parent_ / "store", cuts_.AfterEachStep());
      EXPECT_TRUE(store.opened().ok()) << store.opened().status();
      if (store.opened().ok()) Work(store.store(), seed * 100 + life, reached_);
    }
  }

  const std::vector<PowerCut>& cuts() const { return cuts_.cuts(); }
  // In the second life before its first change was begun: while what the first one left is read.
  bool InRecovery(size_t cut) const { return cut >= second_ && cuts()[cut].begun == begun_before_; }

  // About so many of them from one end to the other, and of those in recovery beside them one of `kOfRecovery`.
  std::vector<size_t> Some(size_t wanted, uint64_t seed) const {
    const size_t stride = std::max<size_t>(1, cuts().size() / wanted);
    std::vector<size_t> some;
    for (size_t i = 0; i < cuts().size(); ++i) {
      if (i % stride == seed % stride || (InRecovery(i) && i % kOfRecovery == seed % kOfRecovery)) some.push_back(i);
    }
    return some;
  }

 private:
  static constexpr size_t kOfRecovery = 8;

  const fakes::TemporaryDirectory parent_;
  Reached reached_;
  PowerCuts cuts_;
  size_t second_ = 0;
  uint64_t begun_before_ = 0;
};

TEST(PowerCutsOfTheEngine, TakeNoRevisionThatWasAnsweredAndNoPartOfOne) {
  const size_t wanted = std::max<size_t>(1, RoundsOfPowerCuts() / 4);
  size_t rounds = 0;
  for (uint64_t seed = SeedOfPowerCuts(); rounds < wanted; ++seed) {
    const TwoLives lives(seed);
    if (testing::Test::HasFailure()) return;
    size_t in_recovery = 0;
    for (const size_t cut : lives.Some(wanted - rounds, seed)) {
      SCOPED_TRACE(absl::StrCat("step ", lives.cuts()[cut].step, " of CARESYNC_POWER_CUT_SEED=", seed));
      ExpectWhole(lives.cuts()[cut]);
      if (testing::Test::HasFailure()) return;
      if (lives.InRecovery(cut)) ++in_recovery;
      ++rounds;
    }
    EXPECT_GT(in_recovery, 0u);
  }
}

}  // namespace
}  // namespace caresync::fault
