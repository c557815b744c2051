// What storage/store.h promises, as one suite that every engine must pass.
#ifndef CARESYNC_TESTS_CONFORMANCE_STORE_CONFORMANCE_H_
#define CARESYNC_TESTS_CONFORMANCE_STORE_CONFORMANCE_H_

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "storage/store.h"

namespace caresync::conformance {

// A store and whatever it stands on.
class StoreUnderTest {
 public:
  virtual ~StoreUnderTest() = default;
  virtual storage::Store& store() = 0;
};

struct Engine {
  std::string name;
  std::function<std::unique_ptr<StoreUnderTest>()> open;
};

inline void PrintTo(const Engine& engine, std::ostream* out) { *out << engine.name; }

class StoreConformance : public ::testing::TestWithParam<Engine> {
 protected:
  storage::Store& store() { return under_test_->store(); }

 private:
  const std::unique_ptr<StoreUnderTest> under_test_ = GetParam().open();
};

}  // namespace caresync::conformance

#endif  // CARESYNC_TESTS_CONFORMANCE_STORE_CONFORMANCE_H_
