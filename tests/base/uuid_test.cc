#include "server/base/uuid.h"

#include <gtest/gtest.h>

#include "tests/fakes/seeded_random.h"

namespace caresync::base {
namespace {

// RFC 4122's namespace of domain names.
constexpr char kDns[] = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";

TEST(Uuid, TextComesBackInLowerCase) {
  EXPECT_EQ(Uuid::Parse("6BA7B810-9dad-11D1-80b4-00c04fd430c8")->ToString(), kDns);
}

TEST(Uuid, OtherTextIsRefused) {
  for (const char* text : {"", "6ba7b8109dad11d180b400c04fd430c8", "{6ba7b810-9dad-11d1-80b4-00c04fd430c8}",
                           "6ba7b810-9dad-11d1-80b4-00c04fd430cg", "6ba7b810-9dad-11d1-80b4-00c04fd430c",
                           "6ba7b810-9dad-11d1-80b4-00c04fd430c80", "6ba7b810x9dad-11d1-80b4-00c04fd430c8",
                           "00000000-0000-0000-0000-000000000000"}) {
    EXPECT_EQ(Uuid::Parse(text), std::nullopt) << text;
  }
}

TEST(Uuid, AWrongLetterIsRefusedWhereverItStands) {
  const std::string right = kDns;
  for (size_t place = 0; place < right.size(); ++place) {
    for (const char wrong : {'g', 'G', '/', ':', '@', '`', ' ', '\0', '\xFF', right[place] == '-' ? '0' : '-'}) {
      std::string text = right;
      text[place] = wrong;
      EXPECT_EQ(Uuid::Parse(text), std::nullopt) << text;
    }
  }
}

TEST(Uuid, BytesComeBack) {
  const Uuid uuid = *Uuid::Parse(kDns);
  EXPECT_EQ(uuid.bytes().size(), 16u);
  EXPECT_EQ(Uuid::FromBytes(uuid.bytes()), uuid);
  EXPECT_EQ(Uuid::FromBytes("short"), std::nullopt);
}

TEST(Uuid, DerivedOnesAreThoseOfTheStandard) {
  EXPECT_EQ(Uuid::Derived(*Uuid::Parse(kDns), "www.example.com").ToString(), "2ed6657d-e927-568b-95e1-2665a8aea6a2");
}

TEST(Uuid, DerivedOnesDifferByNamespaceAndName) {
  const Uuid dns = *Uuid::Parse(kDns);
  EXPECT_NE(Uuid::Derived(dns, "a"), Uuid::Derived(dns, "b"));
  EXPECT_NE(Uuid::Derived(dns, "a"), Uuid::Derived(Uuid::Derived(dns, "b"), "a"));
}

TEST(Uuid, RandomOnesAreOfVersionFour) {
  fakes::SeededRandom random(1);
  const Uuid first = Uuid::Random(random);
  EXPECT_EQ(first.ToString()[14], '4');
  EXPECT_NE(std::string("89ab").find(first.ToString()[19]), std::string::npos);
  EXPECT_NE(first, Uuid::Random(random));
}

TEST(Uuid, ComparesAsItsText) {
  fakes::SeededRandom random(2);
  for (int i = 0; i < 100; ++i) {
    const Uuid a = Uuid::Random(random), b = Uuid::Random(random);
    EXPECT_EQ(a < b, a.ToString() < b.ToString());
  }
}

}  // namespace
}  // namespace caresync::base
