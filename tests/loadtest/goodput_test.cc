#include "loadtest/goodput.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace caresync::loadtest {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(CheckGoodput, TheBoundItselfIsKept) {
  Faults faults;
  CheckGoodput("5 x capacity", 750, 1'000, 0.75, faults);
  CheckGoodput("5 x capacity", 1'000, 1'000, 1, faults);
  EXPECT_THAT(faults.told(), IsEmpty());
}

TEST(CheckGoodput, LessIsAFaultThatSaysHowMuchIsLeft) {
  Faults faults;
  CheckGoodput("5 x capacity", 740, 1'000, 0.75, faults);
  EXPECT_THAT(faults.told(), ElementsAre("5 x capacity: 740.0 syncs were recorded a second, 0.74 of the best, which is "
                                         "less than 0.75"));
}

TEST(CheckArrivals, OneInFiftyMayFindNoDeviceFree) {
  Faults faults;
  CheckArrivals("2 x capacity", 980, 20, faults);
  CheckArrivals("2 x capacity", 0, 0, faults);
  EXPECT_THAT(faults.told(), IsEmpty());
}

TEST(CheckArrivals, WithMoreItIsTheFleetThatWasMeasured) {
  Faults faults;
  CheckArrivals("2 x capacity", 979, 21, faults);
  EXPECT_THAT(faults.told(), ElementsAre(HasSubstr("2 x capacity: no device was free for 21 of 1000 arrivals")));
}

}  // namespace
}  // namespace caresync::loadtest
