#include "loadtest/limit/ready_syncs.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/limits.h"
#include "server/rpc/message.h"

namespace caresync::loadtest {
namespace {

using base::limits::kUnacknowledgedBatches;
using testing::SizeIs;

constexpr size_t kMoreThanMayWait = kUnacknowledgedBatches + 2;

v1::SyncResponse Batch(size_t number) {
  v1::SyncResponse response;
  response.mutable_changes()->set_records_done(number);
  return response;
}

// What comes first, batches, and what ends it.
Dialogue Copy(const std::string& carer, size_t batches) {
  Dialogue dialogue{carer, v1::SYNC_TYPE_CLEAN, {}};
  dialogue.responses.emplace_back().mutable_started();
  for (size_t i = 0; i < batches; ++i) dialogue.responses.push_back(Batch(i));
  dialogue.responses.back().mutable_caught_up();
  dialogue.responses.emplace_back().mutable_sync_recorded();
  return dialogue;
}

Dialogue Empty(const std::string& carer) {
  Dialogue dialogue{carer, v1::SYNC_TYPE_AUTO, {}};
  dialogue.responses.emplace_back().mutable_started();
  dialogue.responses.back().mutable_sync_recorded();
  return dialogue;
}

v1::Start StartOf(const std::string& carer, v1::SyncType type, const std::string& token) {
  v1::Start start;
  start.set_carer_id(carer);
  start.set_sync_type(type);
  start.set_resume_token(token);
  return start;
}

TEST(ReadySyncs, WhoHoldsNothingOrAsksForACleanSyncGetsACopy) {
  const ReadySyncs syncs({Copy("a", 2), Empty("a"), Copy("b", 5), Empty("b")});
  const ReadySync* first = syncs.Find(StartOf("a", v1::SYNC_TYPE_STANDARD, ""));
  ASSERT_NE(first, nullptr);
  EXPECT_THAT(*first, SizeIs(4));
  const ReadySync* clean = syncs.Find(StartOf("b", v1::SYNC_TYPE_CLEAN, "token"));
  ASSERT_NE(clean, nullptr);
  EXPECT_THAT(*clean, SizeIs(7));
  const ReadySync* empty = syncs.Find(StartOf("b", v1::SYNC_TYPE_AUTO, "token"));
  ASSERT_NE(empty, nullptr);
  EXPECT_THAT(*empty, SizeIs(1));
}

TEST(ReadySyncs, WhatWasNotRecordedIsNotFound) {
  const ReadySyncs syncs({Copy("a", 2), Empty("a")});
  EXPECT_EQ(syncs.Find(StartOf("b", v1::SYNC_TYPE_AUTO, "token")), nullptr);
  EXPECT_EQ(syncs.Find(StartOf("a", v1::SYNC_TYPE_STANDARD, "token")), nullptr);
}

TEST(ReadySyncs, BatchesWaitForAcksAsTheServersDo) {
  const ReadySyncs syncs({Copy("a", kMoreThanMayWait)});
  const ReadySync& copy = *syncs.Find(StartOf("a", v1::SYNC_TYPE_CLEAN, ""));
  ASSERT_THAT(copy, SizeIs(kMoreThanMayWait + 2));
  // The first message, and as many batches as may go unacknowledged.
  for (size_t i = 0; i <= kUnacknowledgedBatches; ++i) EXPECT_EQ(copy[i].after_acks, 0u) << i;
  EXPECT_EQ(copy[kUnacknowledgedBatches + 1].after_acks, 1u);
  EXPECT_EQ(copy[kUnacknowledgedBatches + 2].after_acks, 2u);
  // The last one says that all were acknowledged.
  EXPECT_EQ(copy.back().after_acks, kMoreThanMayWait);
}

TEST(ReadySyncs, AnEmptySyncWaitsForNothingAndIsSaidAsItWas) {
  const ReadySyncs syncs({Empty("a")});
  const ReadySync& empty = *syncs.Find(StartOf("a", v1::SYNC_TYPE_AUTO, "token"));
  ASSERT_THAT(empty, SizeIs(1));
  EXPECT_EQ(empty[0].after_acks, 0u);
  grpc::ByteBuffer bytes = empty[0].bytes;
  const auto response = rpc::ParseMessage<v1::SyncResponse>(bytes);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_TRUE(response->has_started());
  EXPECT_TRUE(response->has_sync_recorded());
}

}  // namespace
}  // namespace caresync::loadtest
