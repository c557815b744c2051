#include "tests/conformance/store_conformance.h"

#include "absl/base/internal/raw_logging.h"
#include "storage/memory_store.h"
#include "storage/rocks_store.h"
#include "tests/fakes/faulty_store.h"
#include "tests/fakes/temporary_directory.h"

namespace caresync::conformance {
namespace {

class MemoryUnderTest : public StoreUnderTest {
 public:
  storage::Store& store() override { return store_; }

 private:
  storage::MemoryStore store_;
};

class RocksUnderTest : public StoreUnderTest {
 public:
  RocksUnderTest() {
    // The suite is about the contract and not about a tester's full disk.
    auto opened = storage::RocksStore::Open(directory_ / "data", {.reserved_bytes = 0});
    ABSL_RAW_CHECK(opened.ok(), "the store does not open");
    store_ = *std::move(opened);
  }
  storage::Store& store() override { return *store_; }

 private:
  fakes::TemporaryDirectory directory_;
  std::unique_ptr<storage::RocksStore> store_;
};

class FaultlessUnderTest : public StoreUnderTest {
 public:
  storage::Store& store() override { return store_; }

 private:
  storage::MemoryStore inner_;
  fakes::FaultyStore store_{inner_};
};

template <typename UnderTest>
Engine EngineOf(const std::string& name) {
  return {name, [] { return std::make_unique<UnderTest>(); }};
}

INSTANTIATE_TEST_SUITE_P(Engines, StoreConformance,
                         ::testing::Values(EngineOf<MemoryUnderTest>("MemoryStore"),
                                           EngineOf<RocksUnderTest>("RocksStore"),
                                           EngineOf<FaultlessUnderTest>("FaultyStoreWithoutFaults")),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace caresync::conformance
