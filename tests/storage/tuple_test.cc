#include "storage/tuple.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace caresync::storage {
namespace {

using namespace std::string_literals;

std::string Encoded(std::string_view text) { return TupleWriter().String(text).Take(); }

TEST(Tuple, PartsComeBackInOrder) {
  const std::string bytes =
      TupleWriter().String("a\0b"s).Uint64(~uint64_t{0} - 1).Byte(200).Raw("xyz").String("").Take();
  TupleReader reader(bytes);
  std::string text, raw, empty = "not empty";
  uint64_t number = 0;
  uint8_t byte = 0;
  ASSERT_TRUE(reader.String(&text) && reader.Uint64(&number) && reader.Byte(&byte) && reader.Raw(3, &raw) &&
              reader.String(&empty));
  EXPECT_TRUE(reader.AtEnd());
  EXPECT_EQ(text, "a\0b"s);
  EXPECT_EQ(number, ~uint64_t{0} - 1);
  EXPECT_EQ(byte, 200);
  EXPECT_EQ(raw, "xyz");
  EXPECT_EQ(empty, "");
}

TEST(Tuple, StringsKeepTheirOrder) {
  const std::vector<std::string> ascending = {"",    "\0"s, "\0\0"s, "\0\1"s,   "\0\xFF"s,
                                              "\1"s, "a",   "a\0"s,  "a\0b"s,   "a\1"s,
                                              "aa",  "b",   "\xFF",  "\xFF\0"s, "\xFF\xFF"};
  for (size_t i = 0; i + 1 < ascending.size(); ++i) EXPECT_LT(Encoded(ascending[i]), Encoded(ascending[i + 1])) << i;
}

TEST(Tuple, RandomTuplesKeepTheirOrder) {
  std::mt19937 random(7);
  constexpr char kBytes[] = {'\0', '\1', 'a', '\xFF'};
  auto text = [&] {
    std::string made;
    for (size_t i = random() % 4; i > 0; --i) made.push_back(kBytes[random() % 4]);
    return made;
  };
  for (int i = 0; i < 20'000; ++i) {
    const std::pair<std::string, std::string> a{text(), text()}, b{text(), text()};
    EXPECT_EQ(a < b, TupleWriter().String(a.first).String(a.second).Take() <
                         TupleWriter().String(b.first).String(b.second).Take());
  }
}

TEST(Tuple, RandomStringsAreWrittenAsTheLayoutSaysAndComeBack) {
  std::mt19937 random(11);
  constexpr char kBytes[] = {'\0', '\1', 'a', 'b', '\xFF'};
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    std::string expected;
    for (size_t left = random() % 9; left > 0; --left) {
      text.push_back(kBytes[random() % 5]);
      expected.push_back(text.back());
      if (text.back() == '\0') expected.push_back('\xFF');
    }
    expected.append("\0\1"s);
    ASSERT_EQ(Encoded(text), expected);
    const std::string bytes = TupleWriter(3).String(text).String("next").Take();
    TupleReader reader(bytes);
    std::string back;
    ASSERT_TRUE(reader.String(&back));
    ASSERT_EQ(back, text);
    ASSERT_EQ(reader.rest(), Encoded("next"));
  }
}

TEST(Tuple, AStringIsNoPrefixOfALongerOne) {
  EXPECT_FALSE(Encoded("ab").starts_with(Encoded("a")));
  EXPECT_FALSE(Encoded("a\0"s).starts_with(Encoded("a")));
}

TEST(Tuple, ATupleIsAPrefixOfThoseThatBeginWithItsParts) {
  const std::string shorter = TupleWriter().String("a").Uint64(1).Take();
  EXPECT_TRUE(TupleWriter().String("a").Uint64(1).String("b").Take().starts_with(shorter));
}

TEST(Tuple, NumbersKeepTheirOrder) {
  const std::vector<uint64_t> ascending = {0, 1, 255, 256, 65'535, uint64_t{1} << 32, uint64_t{1} << 63, ~uint64_t{0}};
  for (size_t i = 0; i + 1 < ascending.size(); ++i) {
    EXPECT_LT(TupleWriter().Uint64(ascending[i]).Take(), TupleWriter().Uint64(ascending[i + 1]).Take());
  }
}

TEST(Tuple, BytesOfAnotherFormAreRefusedAndTheReaderStays) {
  for (const std::string& bytes : {""s, "a"s, "a\0"s, "a\0\2"s, "a\0\xFF"s}) {
    TupleReader reader(bytes);
    std::string text = "kept";
    EXPECT_FALSE(reader.String(&text));
    EXPECT_EQ(text, "kept");
    EXPECT_EQ(reader.rest(), bytes);
  }
  TupleReader reader("1234567");
  uint64_t number = 0;
  std::string raw;
  EXPECT_FALSE(reader.Uint64(&number));
  EXPECT_FALSE(reader.Raw(8, &raw));
  EXPECT_EQ(reader.rest(), "1234567");
  TupleReader empty("");
  uint8_t byte = 0;
  EXPECT_FALSE(empty.Byte(&byte));
}

}  // namespace
}  // namespace caresync::storage
