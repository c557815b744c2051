#include "tests/fault/power_cuts.h"

#include <utility>

#include "tests/fault/number_from.h"

namespace caresync::fault {
namespace {

constexpr char kMark[] = "ACKNOWLEDGED";
// The least that RocksDB takes: a file each some twenty commits.
constexpr size_t kMemtableBytes = size_t{64} << 10;

}  // namespace

size_t RoundsOfPowerCuts() { return NumberFrom("CARESYNC_POWER_CUTS", 200); }

uint64_t SeedOfPowerCuts() { return NumberFrom("CARESYNC_POWER_CUT_SEED", 1); }

void Restore(const PowerCut& cut, const std::string& directory) {
  WriteFiles(directory, cut.store);
  WriteFiles(directory + "/rocksdb", cut.database);
}

StoreWithPower::StoreWithPower(const std::string& directory, OnStep on_step, std::set<Flush> swallowed)
    : env_(rocksdb::NewCompositeEnv(
          std::make_shared<PowerCutDisk>(directory + "/rocksdb", std::move(on_step), std::move(swallowed)))),
      store_(storage::RocksStore::Open(directory,
                                       {.reserved_bytes = 0, .env = env_.get(), .memtable_bytes = kMemtableBytes})) {}

StoreWithPower::~StoreWithPower() = default;

PowerCuts::PowerCuts(std::string directory, const Reached& reached, uint64_t seed)
    : directory_(std::move(directory)), reached_(reached), random_(seed) {}

OnStep PowerCuts::AfterEachStep() {
  return [this](const DiskState& disk) {
    ++steps_;
    cuts_.push_back(Take(disk));
  };
}

OnStep PowerCuts::AfterOneStep() {
  // The n-th takes the place of the one before with a chance of one in n: each has the same in the end.
  return [this](const DiskState& disk) {
    ++steps_;
    if (random_() % steps_ == 0) cuts_ = {Take(disk)};
  };
}

PowerCut PowerCuts::Take(const DiskState& disk) {
  PowerCut cut;
  cut.step = steps_;
  // What was answered by now was flushed before: the disk stands still while this runs.
  cut.durable = reached_.durable;
  cut.leaves = static_cast<Leaves>(random_() % 3);
  cut.store = ReadFiles(directory_);
  std::string& mark = cut.store[kMark];
  if (marks_.empty() || marks_.back() != mark) marks_.push_back(mark);
  if (random_() % 2 == 0) mark = marks_[random_() % marks_.size()];
  cut.database = disk.Cut(cut.leaves, random_);
  cut.begun = reached_.begun;
  return cut;
}

}  // namespace caresync::fault
