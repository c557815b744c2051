#include "server/notifications/message.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"
#include "server/base/limits.h"
#include "tests/fakes/engine.h"
#include "tests/mismatch/mismatch_bench.h"
#include "tests/records/sample_records.h"

namespace caresync::notifications {
namespace {

namespace limits = base::limits;
using mismatch::At;
using mismatch::MismatchBench;

// The last one starts first.
std::vector<Raised> Many(size_t count) {
  std::vector<Raised> raised;
  for (size_t i = 0; i < count; ++i) {
    const int number = static_cast<int>(i) + 1;
    raised.push_back({MismatchBench::Of(1 + number % 2, number), At(20) - absl::Minutes(number)});
  }
  return raised;
}

nlohmann::json BodyOf(const std::vector<Raised>& raised) {
  return nlohmann::json::parse(MismatchesBody(fakes::Tenant("acme"), "branch", raised));
}

TEST(MismatchesBodyTest, NamesItsMembersThoseThatStartFirst) {
  const nlohmann::json body = BodyOf(Many(12));
  EXPECT_EQ(body["mismatches"], 12);
  EXPECT_EQ(body["carers"], 2);
  ASSERT_EQ(body["members"].size(), 12u);
  EXPECT_EQ(body["members"][0], nlohmann::json({{"carer_id", records::CarerName(1).id.ToString()},
                                                {"visit_id", records::VisitName(12).id.ToString()}}));
  EXPECT_EQ(body["members"][11]["visit_id"], records::VisitName(1).id.ToString());
}

TEST(MismatchesBodyTest, OfVeryManyItNamesTheFirstAndSaysHowManyThereAre) {
  const size_t count = limits::kMismatchesNamed + 50;
  const nlohmann::json body = BodyOf(Many(count));
  EXPECT_EQ(body["mismatches"], count);
  ASSERT_EQ(body["members"].size(), limits::kMismatchesNamed);
  EXPECT_EQ(body["members"][0]["visit_id"], records::VisitName(static_cast<int>(count)).id.ToString());
  EXPECT_EQ(body["members"][limits::kMismatchesNamed - 1]["visit_id"], records::VisitName(51).id.ToString());
}

}  // namespace
}  // namespace caresync::notifications
