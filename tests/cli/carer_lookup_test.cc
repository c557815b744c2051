#include "tools/caresync/carer_lookup.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/caresync/errors.h"

namespace caresync::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kRome[] = "11111111-1111-4111-8111-111111111111";
constexpr char kOtherRome[] = "22222222-2222-4222-8222-222222222222";

v1::CarerSummary CarerOf(const std::string& branch_id, const std::string& branch_name, const std::string& source) {
  v1::CarerSummary carer;
  carer.set_branch_id(std::string(branch_id));
  carer.set_branch_name(std::string(branch_name));
  carer.set_source(std::string(source));
  return carer;
}

TEST(BranchNamed, IsTheOneOfThatName) {
  const std::vector<v1::CarerSummary> carers = {CarerOf("", "", "a"), CarerOf(kRome, "Rome", "a"),
                                                CarerOf(kRome, "Rome", "b"), CarerOf(kOtherRome, "Milan", "a")};
  EXPECT_EQ(BranchNamed(carers, "rome").value(), kRome);
  EXPECT_EQ(ErrorReason(BranchNamed(carers, "Turin").status()), "BRANCH_NOT_FOUND");
  EXPECT_EQ(ErrorReason(BranchNamed(carers, "").status()), "BRANCH_NOT_FOUND") << "no branch is no branch";
}

TEST(BranchNamed, OfSeveralNoneIsTakenAndAllAreNamed) {
  const std::vector<v1::CarerSummary> carers = {CarerOf(kRome, "Rome", "a-source"),
                                                CarerOf(kOtherRome, "ROME", "b-source")};
  const absl::Status ambiguous = BranchNamed(carers, "Rome").status();
  EXPECT_EQ(ErrorReason(ambiguous), "BRANCH_AMBIGUOUS");
  EXPECT_THAT(std::string(ambiguous.message()),
              AllOf(HasSubstr(kRome), HasSubstr("a-source"), HasSubstr(kOtherRome), HasSubstr("b-source")));
}

}  // namespace
}  // namespace caresync::cli
