#include "server/base/random.h"

#include "gtest/gtest.h"

namespace caresync::base {
namespace {

// Of bytes that the test gives.
class GivenBytes : public RandomSource {
 public:
  explicit GivenBytes(std::string bytes) : bytes_(std::move(bytes)) {}
  std::string Bytes(size_t length) override { return bytes_.substr(0, length); }

 private:
  const std::string bytes_;
};

TEST(RandomDuration, LiesInTheSpread) {
  GivenBytes least(std::string(8, '\0'));
  EXPECT_EQ(RandomDuration(least, absl::Seconds(2), absl::Seconds(1)), absl::Seconds(2));
  SystemRandom random;
  for (int i = 0; i < 1'000; ++i) {
    const absl::Duration duration = RandomDuration(random, absl::Seconds(2), absl::Milliseconds(3));
    EXPECT_GE(duration, absl::Seconds(2));
    EXPECT_LT(duration, absl::Seconds(2) + absl::Milliseconds(3));
  }
  EXPECT_EQ(RandomDuration(random, absl::Seconds(2), absl::Milliseconds(1)), absl::Seconds(2));
}

}  // namespace
}  // namespace caresync::base
