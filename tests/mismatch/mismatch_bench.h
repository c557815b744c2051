// What tests of mismatches stand on: one tenant on a store in memory, with the rider and the task of mismatches, and
// devices whose rows a test writes as their sessions would.
#ifndef CARESYNC_TESTS_MISMATCH_MISMATCH_BENCH_H_
#define CARESYNC_TESTS_MISMATCH_MISMATCH_BENCH_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "caresync/store/mismatch.pb.h"
#include "caresync/store/stored.pb.h"
#include "caresync/v1/records.pb.h"
#include "server/base/ids.h"
#include "server/base/keys.h"
#include "server/base/uuid.h"
#include "server/commit/sequencer.h"
#include "server/commit/subscriptions.h"
#include "server/commit/tasks.h"
#include "server/commit/transaction.h"
#include "server/feed/feed_entry.h"
#include "server/mismatch/integration_lag.h"
#include "server/mismatch/mismatch_rows.h"
#include "server/records/record_store.h"
#include "storage/memory_store.h"
#include "storage/store.h"
#include "tests/fakes/faulty_store.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/manual_executor.h"
#include "tests/fakes/seeded_random.h"

namespace caresync::mismatch {

// 2026-03-02, UTC. The clock begins at 06:00 of that day.
absl::Time At(int hour, int minute = 0);

// A published visit of service user 1 (records/sample_records.h) that begins then and takes an hour, each of `carers`
// all of it.
store::Record VisitAt(int number, absl::Time start, const std::vector<int>& carers = {1},
                      const std::string& notes = "notes");
// The same visit, with something changed.
store::Record Edited(store::Record visit, const std::function<void(v1::Visit&)>& edit);
store::Record Cancelled(store::Record visit);
store::Record Unpublished(store::Record visit);

// Used by one thread. It has carers 1 to 3 and service users 1 and 2; nobody has signed in anywhere. Dies where the
// store, a change of the bench's own or a row that it reads is not as it must be. Due tasks run whenever work does.
class MismatchBench {
 public:
  // `room`: of each commit. With little, a change is carried out by a fan-out's task.
  explicit MismatchBench(const commit::CommitRoom& room = {});
  ~MismatchBench();

  // ---- The server

  void Stop();
  // Another opening of the store, on a timeline of its own.
  void Start();
  // Looks at the open ones, as a server does when it starts.
  void SweepAtStart();
  // Runs the change to its end, and whatever is ready then.
  absl::StatusOr<commit::Committed> Run(commit::Change change);
  // Runs it to its end, and nothing that follows from it. The test dies where it fails.
  void RunAlone(commit::Change change);
  // Runs whatever is ready. No time passes.
  void RunAll();
  void Advance(absl::Duration step);
  void AdvanceTo(absl::Time time) { Advance(time - clock_.Now()); }
  // Once, between what the next look reads and its commit.
  void BeforeNextLookCommits(std::function<void()> meanwhile) { meanwhile_ = std::move(meanwhile); }
  // Looks that ran so far, those included that ran again; and the most mismatches that one of them opened or resolved.
  size_t looks() const { return looks_; }
  size_t most_in_a_look() const { return most_in_a_look_; }

  // ---- The rota

  // All in one change.
  void Put(const std::vector<store::Record>& records);
  // The same, and nothing that follows from it: what has no room in the commit is not carried out yet.
  void PutAlone(const std::vector<store::Record>& records);
  // Visits 1 to `count` of carer 1, all at that time, in as many changes as they need.
  void PutMany(int count, absl::Time start);
  // Zero bounds nothing.
  void SetWindow(absl::Duration download_window, absl::Duration retention = absl::ZeroDuration());

  // ---- The devices

  static base::Uuid DeviceUuid(int number);
  // The device is in use, and the carer is one of its users.
  void SignIn(int carer, int device);
  // Its session has recorded that it acknowledged the carer's feed up to there, of the copy in use, at the head.
  void Acknowledge(int carer, int device, const feed::Position& position);
  // All of it.
  void AcknowledgeAll(int carer, int device) { Acknowledge(carer, device, feed::Position::EndOf(Head())); }
  // Carers 1 to 3 on devices of the same numbers, each of which has acknowledged all.
  void SignAllIn();
  // And its session says so.
  void TellOfAck(int carer);
  void Sync(int carer, int device);
  // In the device's history, with this number; where it names no opening, as of the one that serves now.
  void PutSync(int carer, int device, uint64_t number, store::SyncRow sync);
  // A session of the device is open that has written nothing yet.
  void OpenSession(int device) { open_sessions_.insert(DeviceUuid(device)); }
  void EndSession(int device) { open_sessions_.erase(DeviceUuid(device)); }
  // Writes the carer's copy in the device's report.
  void PutCopy(int carer, int device, const std::function<void(store::DeviceCopy&)>& write);
  void PutReport(int device, const std::function<void(store::DeviceReport&)>& write);
  // What administrators say of it.
  void PutDevice(int device, const std::function<void(store::Device&)>& write);
  void PutDeviceRow(int device, base::keys::DevicePart part, const std::string& bytes);
  // Any row, without the sequencer.
  void Write(storage::Write row);

  // ---- What there is

  std::unique_ptr<storage::Snapshot> Snapshot() const;
  base::Revision Head() const;
  static base::Uuid Carer(int number);
  static base::RecordKey Visit(int number);
  static CarerVisit Of(int carer, int visit) { return {Carer(carer), Visit(visit)}; }
  std::optional<store::Mismatch> Find(int carer, int visit) const;
  // It is there.
  store::Mismatch Get(int carer, int visit) const;
  store::Mismatch::State StateOf(int carer, int visit) const { return Get(carer, visit).state(); }
  // The carer's visits with an open one, of the numbers 1 to 99.
  std::set<int> OpenOf(int carer) const;
  // Of the whole tenant.
  size_t CountOpen() const;
  size_t CountListed(bool resolved) const;
  // The rows in which it is written when the visit is to be looked at; one for each mismatch.
  size_t CountLooks() const;
  store::MismatchLooks Looks() const;
  store::Record Stored(int visit) const;
  // Where the visit lies in the carer's feed; it is there.
  feed::Entry EntryOf(int carer, int visit) const;

  const base::TenantId& tenant() const { return tenant_; }
  fakes::FaultyStore& store() { return store_; }
  fakes::ManualClock& clock() { return clock_; }
  commit::Sequencer& sequencer();
  const std::string& timeline() const;
  const IntegrationLag& lag() const { return lag_; }
  // The opening of the store that serves now.
  absl::Duration opened() const;

 private:
  struct Server;
  absl::Status Look(const commit::TaskStep& step, commit::Transaction& transaction, const std::string& payload);
  std::string DeviceRow(int device, base::keys::DevicePart part) const;

  const base::TenantId tenant_;
  const commit::CommitRoom room_;
  storage::MemoryStore memory_;
  fakes::FaultyStore store_{memory_};
  fakes::ManualClock clock_;
  fakes::SeededRandom random_{1};
  commit::Subscriptions subscriptions_;
  IntegrationLag lag_{clock_};
  std::set<base::Uuid> open_sessions_;
  std::function<void()> meanwhile_;
  size_t looks_ = 0;
  size_t most_in_a_look_ = 0;
  std::unique_ptr<Server> server_;
};

}  // namespace caresync::mismatch

#endif  // CARESYNC_TESTS_MISMATCH_MISMATCH_BENCH_H_
