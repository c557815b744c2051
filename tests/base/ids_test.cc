#include "server/base/ids.h"

#include <gtest/gtest.h>

#include "server/base/errors.h"

namespace caresync::base {
namespace {

TEST(TenantId, TakesLowerCaseLettersDigitsAndHyphens) {
  for (const std::string& text : {std::string("a"), std::string("agency-1"), std::string(63, 'x')}) {
    auto tenant = TenantId::Parse(text);
    ASSERT_TRUE(tenant.ok()) << text;
    EXPECT_EQ(tenant->text(), text);
  }
}

TEST(TenantId, RefusesEverythingElseByName) {
  for (const std::string& text :
       {std::string(), std::string("1a"), std::string("-a"), std::string("A"), std::string("a_b"),
        std::string("a\0b", 3), std::string("\xC3\xA4"), std::string(64, 'x')}) {
    EXPECT_EQ(Reason(TenantId::Parse(text).status()), "INVALID_TENANT_ID") << text;
  }
}

}  // namespace
}  // namespace caresync::base
