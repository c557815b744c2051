#include "tests/simulation/oracle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/base/keys.h"

namespace caresync::simulation {
namespace {

using ::testing::IsEmpty;

class OracleTest : public ::testing::Test {
 protected:
  OracleTest() { oracle_.AddTenant(tenant_, {}); }

  // The write of a head that a change made on the empty store.
  std::vector<storage::Write> FirstCommit(const std::string& commit_id) {
    store::TenantHead head;
    head.set_revision(1);
    head.set_commit_id(commit_id);
    return {{storage::Space::kRecords, base::keys::TenantHead(tenant_), head.SerializeAsString()}};
  }

  void ProposeLeastApp(const std::string& version) {
    State state = oracle_.model(tenant_).NextState();
    state.least_app_version = version;
    oracle_.Propose(tenant_, std::move(state));
  }

  std::string LeastApp() { return oracle_.model(tenant_).head().least_app_version; }

  const base::TenantId tenant_ = *base::TenantId::Parse("acme");
  std::vector<std::string> faults_;
  Oracle oracle_{[this](const std::string& fault) { faults_.push_back(fault); }, {}, [](const std::string&) {}};
};

TEST_F(OracleTest, ALateCommitIsNotTakenForTheChangeThatIsAtWork) {
  // Nothing is proposed of the first: only its rows say what it did.
  oracle_.OnHandedOver(FirstCommit("late"));
  oracle_.Withdraw(tenant_);
  ProposeLeastApp("5.0.0");
  oracle_.OnHandedOver(FirstCommit("at work"));
  oracle_.OnApplied(FirstCommit("late"));
  EXPECT_EQ(oracle_.model(tenant_).head().revision, 1u);
  EXPECT_EQ(LeastApp(), "");
  EXPECT_THAT(faults_, IsEmpty());
}

TEST_F(OracleTest, ALateCommitIsWhatItsOwnChangeProposed) {
  ProposeLeastApp("4.2");
  oracle_.OnHandedOver(FirstCommit("late"));
  oracle_.Withdraw(tenant_);
  ProposeLeastApp("5.0.0");
  oracle_.OnHandedOver(FirstCommit("at work"));
  oracle_.OnApplied(FirstCommit("late"));
  EXPECT_EQ(LeastApp(), "4.2");
  EXPECT_THAT(faults_, IsEmpty());
}

}  // namespace
}  // namespace caresync::simulation
