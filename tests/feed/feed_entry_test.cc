#include "server/feed/feed_entry.h"

#include <gtest/gtest.h>

#include <string>

namespace caresync::feed {
namespace {

TEST(Fingerprint, IsWhatADeviceWorksOutByItself) {
  // Both were worked out by another implementation of SHA-256.
  EXPECT_EQ(Fingerprint(3, "2f6d1c0e-5b1a-4c7e-9f63-0a9a4f0c2b11", "payload"), 0x0e5b6fe002089c68);
  EXPECT_EQ(Fingerprint(0, "", ""), 0xaf5570f5a1810b7a);
}

TEST(Fingerprint, DependsOnEachPart) {
  const uint64_t one = Fingerprint(1, "id", "payload");
  EXPECT_NE(one, Fingerprint(2, "id", "payload"));
  EXPECT_NE(one, Fingerprint(1, "ie", "payload"));
  EXPECT_NE(one, Fingerprint(1, "id", "payloae"));
  EXPECT_NE(one, Fingerprint(1, "idp", "ayload"));
}

TEST(Position, OrdersByRevisionThenRecord) {
  EXPECT_LT((Position{1, {"b"}}), (Position{2, {"a"}}));
  EXPECT_LT((Position{1, {"a"}}), (Position{1, {"b"}}));
  EXPECT_LT((Position{1, {}}), (Position{1, {"a"}}));
}

TEST(Position, TheEndOfARevisionIsAfterAllItsRecordsAndBeforeTheNext) {
  EXPECT_GT(Position::EndOf(7), (Position{7, {std::string(254, '\xff')}}));
  EXPECT_LT(Position::EndOf(7), (Position{8, {}}));
}

}  // namespace
}  // namespace caresync::feed
