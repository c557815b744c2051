#include "server/commit/subscriptions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include "tests/commit/commit_bench.h"

namespace caresync::commit {
namespace {

using ::testing::ElementsAre;

class SubscriptionsTest : public ::testing::Test {
 protected:
  OnMoved Into(std::vector<base::Revision>& heard) {
    return [&heard](base::Revision revision) { heard.push_back(revision); };
  }

  const base::TenantId acme_ = TenantNamed("acme");
  const base::TenantId other_ = TenantNamed("other");
  const base::ReceiverId carer_{"carer"};
  Subscriptions subscriptions_;
};

TEST_F(SubscriptionsTest, TellEverySubscriberOfTheReceiverAndNobodyElse) {
  std::vector<base::Revision> first, second, of_another_receiver, of_another_tenant;
  auto a = subscriptions_.Subscribe(acme_, carer_, Into(first));
  auto b = subscriptions_.Subscribe(acme_, carer_, Into(second));
  auto c = subscriptions_.Subscribe(acme_, {"source"}, Into(of_another_receiver));
  auto d = subscriptions_.Subscribe(other_, carer_, Into(of_another_tenant));
  subscriptions_.Publish(acme_, carer_, 4);
  subscriptions_.Publish(acme_, carer_, 5);
  EXPECT_THAT(first, ElementsAre(4, 5));
  EXPECT_THAT(second, ElementsAre(4, 5));
  EXPECT_THAT(of_another_receiver, ElementsAre());
  EXPECT_THAT(of_another_tenant, ElementsAre());
}

TEST_F(SubscriptionsTest, EndWithTheirHandle) {
  std::vector<base::Revision> ended, going_on;
  auto b = subscriptions_.Subscribe(acme_, carer_, Into(going_on));
  {
    auto a = subscriptions_.Subscribe(acme_, carer_, Into(ended));
    subscriptions_.Publish(acme_, carer_, 1);
  }
  subscriptions_.Publish(acme_, carer_, 2);
  EXPECT_THAT(ended, ElementsAre(1));
  EXPECT_THAT(going_on, ElementsAre(1, 2));
}

TEST_F(SubscriptionsTest, MoveWithTheirHandle) {
  std::vector<base::Revision> moved, replaced;
  auto a = subscriptions_.Subscribe(acme_, carer_, Into(moved));
  auto b = subscriptions_.Subscribe(acme_, carer_, Into(replaced));
  b = std::move(a);
  subscriptions_.Publish(acme_, carer_, 1);
  { Subscriptions::Handle last = std::move(b); }
  subscriptions_.Publish(acme_, carer_, 2);
  EXPECT_THAT(moved, ElementsAre(1));
  EXPECT_THAT(replaced, ElementsAre());
}

TEST_F(SubscriptionsTest, AnEndedCallbackNeitherRunsNorIsRunningWhileAnotherThreadPublishes) {
  std::atomic<bool> stop = false;
  std::atomic<uint64_t> published = 0;
  std::thread publisher([&] {
    while (!stop) {
      subscriptions_.Publish(acme_, carer_, 1);
      ++published;
    }
  });
  for (int i = 0; i < 2'000; ++i) {
    // Destroyed right after its subscription: a late call would touch memory that is gone, and sanitizers would say so.
    auto calls = std::make_unique<int>(0);
    std::optional<Subscriptions::Handle> handle =
        subscriptions_.Subscribe(acme_, carer_, [&calls = *calls](base::Revision) { ++calls; });
    handle.reset();
    EXPECT_GE(*calls, 0);
  }
  while (published == 0) std::this_thread::yield();
  stop = true;
  publisher.join();
}

}  // namespace
}  // namespace caresync::commit
