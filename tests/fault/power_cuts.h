// Power cuts of a RocksStore at work: what would be on its disk at each step, with what had been answered by then.
#ifndef CARESYNC_TESTS_FAULT_POWER_CUTS_H_
#define CARESYNC_TESTS_FAULT_POWER_CUTS_H_

#include <rocksdb/env.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/rocks_store.h"
#include "tests/fault/power_cut_disk.h"

namespace caresync::fault {

// How many cuts a test makes, and with which seed: CARESYNC_POWER_CUTS and CARESYNC_POWER_CUT_SEED.
size_t RoundsOfPowerCuts();
uint64_t SeedOfPowerCuts();

// What a workload has reached, in numbers that grow; used by many threads.
struct Reached {
  // The last that was begun, and the last that was answered as durable.
  std::atomic<uint64_t> begun = 0;
  std::atomic<uint64_t> durable = 0;
};

// All that is left of a store.
struct PowerCut {
  // The step of the disk after which the power went.
  size_t step = 0;
  Leaves leaves = Leaves::kNothing;
  // The store's directory, and the database's in it.
  Files store;
  Files database;
  uint64_t begun = 0;
  uint64_t durable = 0;
};

// Makes `directory` what the cut left.
void Restore(const PowerCut& cut, const std::string& directory);

// A store that is open on a disk whose power may be cut. Used by one thread.
class StoreWithPower {
 public:
  // In `directory`, with files that are soon full.
  explicit StoreWithPower(const std::string& directory, OnStep on_step = nullptr, std::set<Flush> swallowed = {});
  ~StoreWithPower();

  // The store, or why it does not open.
  const absl::StatusOr<std::unique_ptr<storage::RocksStore>>& opened() const { return store_; }
  storage::RocksStore& store() { return **store_; }

 private:
  std::unique_ptr<rocksdb::Env> env_;
  absl::StatusOr<std::unique_ptr<storage::RocksStore>> store_;
};

// Cuts the power after steps of a disk. The mark of what was acknowledged is not flushed with each commit: a cut leaves
// it as it is, or as it was at some time before.
class PowerCuts {
 public:
  // Of the store in `directory`, which reaches what `reached` says. Each must outlive it.
  PowerCuts(std::string directory, const Reached& reached, uint64_t seed);

  // For StoreWithPower: after every step, or after one of them that the seed chooses.
  OnStep AfterEachStep();
  OnStep AfterOneStep();

  // When the store is closed.
  const std::vector<PowerCut>& cuts() const { return cuts_; }

 private:
  PowerCut Take(const DiskState& disk);

  const std::string directory_;
  const Reached& reached_;
  std::mt19937_64 random_;
  size_t steps_ = 0;
  std::vector<std::string> marks_;
  std::vector<PowerCut> cuts_;
};

}  // namespace caresync::fault

#endif  // CARESYNC_TESTS_FAULT_POWER_CUTS_H_
