#include "server/mismatch/mismatch_groups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/limits.h"
#include "tests/mismatch/mismatch_bench.h"

namespace caresync::mismatch {
namespace {

namespace limits = base::limits;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr size_t kAll = 1'000'000;
constexpr size_t kMany = limits::kMismatchesOfCarerAlone + 1;
constexpr size_t kBurst = limits::kMismatchesOutsideABurst + 1;

// Of a change so long after six o'clock.
Groupable Of(int carer, absl::Duration after) {
  return {.carer = MismatchBench::Carer(carer), .last_change = At(6) + after};
}

// So many of the carer, changed by hand: one a minute, from so many minutes after six on.
std::vector<Groupable> ByHand(int carer, size_t count, int from = 0) {
  std::vector<Groupable> all;
  for (size_t i = 0; i < count; ++i) all.push_back(Of(carer, absl::Minutes(from + static_cast<int>(i))));
  return all;
}

// So many in one go, of carers 1 to `carers` by turns.
std::vector<Groupable> AtOnce(size_t count, int carers, absl::Duration after = absl::ZeroDuration()) {
  std::vector<Groupable> all;
  for (size_t i = 0; i < count; ++i) all.push_back(Of(1 + static_cast<int>(i) % carers, after));
  return all;
}

// So many of carers 1 to `carers` by turns, changed by hand, whose phones are silent: each synced last a minute after
// the one before it, the first at five.
std::vector<Groupable> OfSilent(size_t count, int carers) {
  std::vector<Groupable> all;
  for (size_t i = 0; i < count; ++i) {
    const int carer = static_cast<int>(i) % carers;
    all.push_back(Of(1 + carer, absl::Minutes(static_cast<int>(i))));
    all.back().last_sync = At(5) + absl::Minutes(carer);
  }
  return all;
}

std::vector<Groupable> Joined(std::vector<Groupable> all, const std::vector<Groupable>& more) {
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

// "carer 0 6": a carer's group that begins with the first of those given, of six.
std::vector<std::string> Lines(const std::vector<Groupable>& all, size_t most = kAll) {
  std::vector<std::string> lines;
  for (const GroupLine& line : GroupMismatches(all, most).lines) {
    const char* const kind = line.kind == v1::MISMATCH_GROUP_KIND_CARER    ? "carer "
                             : line.kind == v1::MISMATCH_GROUP_KIND_BURST  ? "burst "
                             : line.kind == v1::MISMATCH_GROUP_KIND_OUTAGE ? "outage "
                                                                           : "one ";
    lines.push_back(absl::StrCat(kind, line.first, " ", line.count));
  }
  return lines;
}

TEST(MismatchGroupsTest, FewStandAlone) {
  EXPECT_THAT(Lines({}), IsEmpty());
  EXPECT_THAT(Lines(Joined(ByHand(1, 2), ByHand(2, 1, 30))), ElementsAre("one 0 1", "one 1 1", "one 2 1"));
  EXPECT_EQ(Lines(ByHand(1, limits::kMismatchesOfCarerAlone)).size(), limits::kMismatchesOfCarerAlone);
}

// Requirement: M7
TEST(MismatchGroupsTest, ManyOfOneCarerAreOne) {
  const std::vector<Groupable> all =
      Joined(Joined(ByHand(2, 1), ByHand(1, kMany, 10)), Joined(ByHand(3, 1, 30), ByHand(1, 1, 40)));
  EXPECT_THAT(Lines(all),
              ElementsAre("one 0 1", absl::StrCat("carer 1 ", kMany + 1), absl::StrCat("one ", kMany + 1, " 1")));
}

// Requirement: M7
TEST(MismatchGroupsTest, WhatTheRotaChangesInOneGoIsOne) {
  EXPECT_THAT(Lines(AtOnce(kBurst, 20)), ElementsAre(absl::StrCat("burst 0 ", kBurst)));
  EXPECT_THAT(Lines(AtOnce(kBurst, 2)), ElementsAre(absl::StrCat("burst 0 ", kBurst))) << "though each carer has many";
  EXPECT_EQ(Lines(AtOnce(kBurst - 1, 20)).size(), kBurst - 1);
}

TEST(MismatchGroupsTest, WhatChangesInOneGoForOneCarerIsTheCarers) {
  EXPECT_THAT(Lines(AtOnce(kBurst, 1)), ElementsAre(absl::StrCat("carer 0 ", kBurst)));
}

TEST(MismatchGroupsTest, ABurstHasNoPauseThatIsLonger) {
  std::vector<Groupable> all;
  for (size_t i = 0; i < kBurst; ++i) all.push_back(Of(1 + static_cast<int>(i), limits::kBurstPause * i));
  EXPECT_THAT(Lines(all), ElementsAre(absl::StrCat("burst 0 ", kBurst)));
  for (size_t i = kBurst / 2; i < kBurst; ++i) all[i].last_change += absl::Microseconds(1);
  EXPECT_EQ(Lines(all).size(), kBurst) << "neither half is one";
}

// The order given is that of the visits, not of the changes.
TEST(MismatchGroupsTest, TheOrderOfTheirVisitsDoesNotMatter) {
  std::vector<Groupable> all;
  for (size_t i = 0; i < kBurst; ++i) {
    all.push_back(Of(1 + static_cast<int>(i), absl::Seconds(i % 2 == 0 ? static_cast<int>(i) : -static_cast<int>(i))));
  }
  all.insert(all.begin(), Of(90, absl::Hours(1)));
  const GroupLines grouped = GroupMismatches(all, kAll);
  ASSERT_EQ(grouped.lines.size(), 2u);
  const GroupLine& burst = grouped.lines[1];
  EXPECT_EQ(burst.kind, v1::MISMATCH_GROUP_KIND_BURST);
  EXPECT_EQ(burst.carers.size(), kBurst);
  EXPECT_EQ(burst.earliest_change, At(6) - absl::Seconds(25));
  EXPECT_EQ(burst.latest_change, At(6) + absl::Seconds(24));
}

TEST(MismatchGroupsTest, ACarersGroupIsOfThoseOutsideBursts) {
  const std::vector<Groupable> all = Joined(AtOnce(kBurst, 2), ByHand(1, kMany, 30));
  EXPECT_THAT(Lines(all), ElementsAre(absl::StrCat("burst 0 ", kBurst), absl::StrCat("carer ", kBurst, " ", kMany)));
  const std::vector<Groupable> few = Joined(AtOnce(kBurst, 2), ByHand(1, 1, 30));
  EXPECT_THAT(Lines(few), ElementsAre(absl::StrCat("burst 0 ", kBurst), absl::StrCat("one ", kBurst, " 1")));
}

// Requirement: M7
TEST(MismatchGroupsTest, WhatPhonesLackThatFellSilentTogetherIsOne) {
  const std::vector<Groupable> all = OfSilent(kBurst, 20);
  EXPECT_THAT(Lines(all), ElementsAre(absl::StrCat("outage 0 ", kBurst)));
  const GroupLine outage = GroupMismatches(all, kAll).lines.at(0);
  EXPECT_EQ(outage.carers.size(), 20u);
  EXPECT_EQ(outage.earliest_sync, At(5));
  EXPECT_EQ(outage.latest_sync, At(5, 19));
  EXPECT_EQ(Lines(OfSilent(kBurst - 1, 20)).size(), kBurst - 1);
  std::vector<Groupable> called = all;
  called.front().last_sync.reset();
  EXPECT_EQ(Lines(called).size(), kBurst) << "of one the phone has called since";
}

TEST(MismatchGroupsTest, WhatOneSilentPhoneLacksIsItsCarers) {
  EXPECT_THAT(Lines(OfSilent(kBurst, 1)), ElementsAre(absl::StrCat("carer 0 ", kBurst)));
}

TEST(MismatchGroupsTest, PhonesThatFellSilentOneAfterTheOtherAreNoOutage) {
  std::vector<Groupable> all = OfSilent(kBurst, static_cast<int>(kBurst));
  for (size_t i = 0; i < kBurst; ++i) all[i].last_sync = At(0) + limits::kOutagePause * i;
  EXPECT_THAT(Lines(all), ElementsAre(absl::StrCat("outage 0 ", kBurst)));
  for (size_t i = kBurst / 2; i < kBurst; ++i) *all[i].last_sync += absl::Microseconds(1);
  EXPECT_EQ(Lines(all).size(), kBurst) << "neither half is one";
}

TEST(MismatchGroupsTest, AnOutageIsOfThoseOutsideBurstsAndComesBeforeCarers) {
  std::vector<Groupable> at_once = AtOnce(kBurst, 2, -absl::Hours(1));
  for (Groupable& mismatch : at_once) mismatch.last_sync = At(5);
  EXPECT_THAT(Lines(Joined(at_once, OfSilent(kBurst, 2))),
              ElementsAre(absl::StrCat("burst 0 ", kBurst), absl::StrCat("outage ", kBurst, " ", kBurst)));
  std::vector<Groupable> snoozed = OfSilent(kBurst, 20);
  for (Groupable& mismatch : snoozed) mismatch.snoozed = true;
  EXPECT_EQ(Lines(snoozed).size(), kBurst);
}

TEST(MismatchGroupsTest, TwoBurstsAreTwo) {
  EXPECT_THAT(Lines(Joined(AtOnce(kBurst, 20), AtOnce(kBurst, 20, absl::Hours(1)))),
              ElementsAre(absl::StrCat("burst 0 ", kBurst), absl::StrCat("burst ", kBurst, " ", kBurst)));
}

TEST(MismatchGroupsTest, WhatIsSnoozedStandsAlone) {
  std::vector<Groupable> all = Joined(ByHand(1, kMany), AtOnce(kBurst, 20, absl::Hours(1)));
  for (Groupable& mismatch : all) mismatch.snoozed = true;
  EXPECT_EQ(Lines(all).size(), kMany + kBurst);
  std::vector<Groupable> one_less = ByHand(1, kMany + 1);
  one_less.back().snoozed = true;
  EXPECT_THAT(Lines(one_less), ElementsAre(absl::StrCat("carer 0 ", kMany), absl::StrCat("one ", kMany, " 1")));
}

TEST(MismatchGroupsTest, AGroupIsWholeThoughThePageEndsAmongIt) {
  const std::vector<Groupable> all = Joined(Joined(AtOnce(kBurst, 20), ByHand(90, 1, 60)), AtOnce(2, 2));
  EXPECT_THAT(Lines(all, 1), ElementsAre(absl::StrCat("burst 0 ", kBurst + 2)));
  EXPECT_EQ(GroupMismatches(all, 1).reached, kBurst);
  EXPECT_THAT(Lines(all, 2), ElementsAre(absl::StrCat("burst 0 ", kBurst + 2), absl::StrCat("one ", kBurst, " 1")));
  EXPECT_EQ(GroupMismatches(all, 2).reached, all.size());
}

bool IsIn(const Groupable& mismatch, const GroupLines& page) {
  return std::any_of(page.lines.begin(), page.lines.end(), [&](const GroupLine& line) {
    return line.carers.contains(mismatch.carer) && line.earliest_change <= mismatch.last_change &&
           line.latest_change >= mismatch.last_change;
  });
}

TEST(MismatchGroupsTest, PagesLeaveNoneOut) {
  std::vector<Groupable> all = Joined(ByHand(90, 3, 120), AtOnce(kBurst * 2, 20));
  all = Joined(all, ByHand(91, kMany, 200));
  all = Joined(all, Joined(AtOnce(3, 3), ByHand(92, 2, 300)));
  for (size_t page_size = 1; page_size < 8; ++page_size) {
    for (size_t done = 0; done < all.size();) {
      const std::vector<Groupable> rest(all.begin() + static_cast<ptrdiff_t>(done), all.end());
      const GroupLines page = GroupMismatches(rest, page_size);
      ASSERT_GT(page.reached, 0u) << "it goes on";
      ASSERT_LE(page.lines.size(), page_size);
      for (size_t i = 0; i < page.reached; ++i) {
        EXPECT_TRUE(IsIn(rest[i], page)) << done + i << ", " << page_size << " lines a page";
      }
      done += page.reached;
    }
  }
}

}  // namespace
}  // namespace caresync::mismatch
