#include "loadtest/held_copy.h"

#include "gtest/gtest.h"

namespace caresync::loadtest {
namespace {

RecordName Visit(const std::string& id) { return {v1::RECORD_KIND_VISIT, id}; }

TEST(HeldCopy, FingerprintsByTheProtocolsRule) {
  // sha256sum of the bytes 00 00 00 05 00 00 00 02 'v' '1' 'h' 'i', its first 8 bytes.
  EXPECT_EQ(FingerprintOf(Visit("v1"), "hi"), uint64_t{0xdcc6039351160af9});
}

TEST(HeldCopy, SumsWhatItHolds) {
  HeldCopy copy;
  EXPECT_EQ(copy.Sum().count(), 0u);
  EXPECT_EQ(copy.Sum().sum(), 0u);
  copy.Put(Visit("a"), "1");
  copy.Put(Visit("b"), "2");
  EXPECT_EQ(copy.Sum().count(), 2u);
  EXPECT_EQ(copy.Sum().sum(), FingerprintOf(Visit("a"), "1") + FingerprintOf(Visit("b"), "2"));
}

TEST(HeldCopy, KeepsItsSumThroughReplacementAndRemoval) {
  HeldCopy copy;
  copy.Put(Visit("a"), "1");
  copy.Put(Visit("b"), "2");
  copy.Put(Visit("a"), "changed");
  copy.Remove(Visit("b"));
  copy.Remove(Visit("never held"));
  EXPECT_EQ(copy.Sum().count(), 1u);
  EXPECT_EQ(copy.Sum().sum(), FingerprintOf(Visit("a"), "changed"));
  EXPECT_EQ(copy.Sum().SerializeAsString(), copy.Recount().SerializeAsString());
}

TEST(HeldCopy, HoldsRecordsOfTwoKindsWithOneId) {
  HeldCopy copy;
  copy.Put(Visit("a"), "1");
  copy.Put({v1::RECORD_KIND_CARER, "a"}, "1");
  EXPECT_EQ(copy.Sum().count(), 2u);
  EXPECT_EQ(ToText({v1::RECORD_KIND_CARER, "a"}), "CARER a");
}

}  // namespace
}  // namespace caresync::loadtest
