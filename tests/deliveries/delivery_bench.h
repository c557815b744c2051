// What tests of reading the proof of delivery stand on: a tenant whose rota a test changes, entries as the rider notes
// them, and devices whose marks a test writes as their sessions would.
#ifndef CARESYNC_TESTS_DELIVERIES_DELIVERY_BENCH_H_
#define CARESYNC_TESTS_DELIVERIES_DELIVERY_BENCH_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "caresync/store/delivery.pb.h"
#include "caresync/store/stored.pb.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "server/feed/feed_entry.h"
#include "storage/store.h"
#include "tests/fakes/engine.h"

namespace caresync::deliveries {

// Used by one thread. It has carers c1 and c2 and service user p1, of the source "rota"; the clock begins at 06:00.
// Dies where the store or a change of its own is not as it must be.
class DeliveryBench {
 public:
  DeliveryBench();
  // On what another one's store held when it was copied, as after a restore.
  DeliveryBench(std::unique_ptr<storage::MemoryStore> memory, uint64_t seed, const DeliveryBench& before);

  static base::Uuid Carer(const std::string& name);
  static base::RecordKey Visit(const std::string& name);
  static base::Uuid VisitId(const std::string& name);
  static base::Uuid Device(int number);

  // ---- The rota. Each change lets a minute pass first.

  // The visit is each of these carers', with these notes. Returns the revision under which it lies in their feeds.
  base::Revision Put(const std::string& visit, const std::vector<std::string>& carers, const std::string& notes = "",
                     const std::string& source = "rota");
  base::Revision Cancel(const std::string& visit, const std::vector<std::string>& carers);
  // Both in one commit, of c1.
  base::Revision PutBoth(const std::string& one, const std::string& other, const std::string& notes = "");
  // It moves in the carer's feed as the window does: no change of the rota.
  base::Revision MoveByWindow(const std::string& visit, const std::string& carer);

  // ---- The devices. Each mark lets a minute pass first.

  // The device says that it holds the carer's feed as it was at `revision` up to `position`. Returns its time.
  absl::Time Mark(store::CopyMark::Kind kind, base::Revision revision, const feed::Position& position,
                  const std::string& carer = "c1", int device = 1);
  // All of it.
  absl::Time Whole(base::Revision revision, store::CopyMark::Kind kind = store::CopyMark::APPLIED,
                   const std::string& carer = "c1", int device = 1) {
    return Mark(kind, revision, feed::Position::EndOf(revision), carer, device);
  }
  // EMPTY or NOT_KNOWN.
  absl::Time Nothing(store::CopyMark::Kind kind, const std::string& carer = "c1", int device = 1);
  void Assign(int device, const std::vector<std::string>& carers, bool cloned = false);
  void PutReport(int device, const std::function<void(store::DeviceReport&)>& write);
  void DeleteMark(int device, const std::string& carer, uint64_t number);
  void PutKeeping(const store::Keeping& keeping);
  // Moves what was marked into the order of commits.
  void Tell();

  base::Revision Head() const { return engine_->Head(tenant_); }
  absl::Time Now() const { return engine_->clock().Now(); }
  std::unique_ptr<storage::Snapshot> Snapshot() const { return engine_->Snapshot(); }
  const base::TenantId& tenant() const { return tenant_; }
  fakes::Engine& engine() const { return *engine_; }

 private:
  base::Revision LastOf(const std::string& visit, const std::string& carer) const;
  void Write(storage::Space space, const std::string& key, const std::string& value);

  const base::TenantId tenant_;
  std::unique_ptr<fakes::Engine> engine_;
  // How many each device made.
  std::map<int, uint64_t> marks_;
};

}  // namespace caresync::deliveries

#endif  // CARESYNC_TESTS_DELIVERIES_DELIVERY_BENCH_H_
