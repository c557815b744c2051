#include "server/outbox/webhook_rules.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <string>

#include "server/base/errors.h"
#include "server/base/limits.h"

namespace caresync::outbox {
namespace {

using testing::HasSubstr;

bool IsPublic(const std::string& address) {
  sockaddr_storage storage{};
  auto& in4 = reinterpret_cast<sockaddr_in&>(storage);
  auto& in6 = reinterpret_cast<sockaddr_in6&>(storage);
  if (inet_pton(AF_INET, address.c_str(), &in4.sin_addr) == 1) {
    in4.sin_family = AF_INET;
  } else {
    EXPECT_EQ(inet_pton(AF_INET6, address.c_str(), &in6.sin6_addr), 1) << address;
    in6.sin6_family = AF_INET6;
  }
  return IsPublicAddress(reinterpret_cast<const sockaddr&>(storage));
}

std::string Wrong(const std::string& url, const WebhookRules& rules = {}) {
  const absl::Status status = CheckWebhookUrl("url", url, rules);
  EXPECT_EQ(base::Reason(status), status.ok() ? "" : "INVALID_FIELD") << url;
  return std::string(status.message());
}

TEST(WebhookRules, LoopbackLinkLocalPrivateAndReservedAddressesAreNotPublic) {
  for (const char* address : {"0.0.0.0",
                              "10.1.2.3",
                              "100.64.0.1",
                              "100.127.255.255",
                              "127.0.0.1",
                              "127.255.255.255",
                              "169.254.169.254",
                              "172.16.0.1",
                              "172.31.255.255",
                              "192.0.0.1",
                              "192.168.1.1",
                              "198.19.0.1",
                              "224.0.0.1",
                              "255.255.255.255",
                              "::",
                              "::1",
                              "fe80::1",
                              "fc00::1",
                              "fd12:3456::1",
                              "ff02::1",
                              "2001:db8::1",
                              "2001::1",
                              "3fff::1",
                              "3fff:fff::1",
                              "::ffff:127.0.0.1",
                              "::ffff:10.0.0.1",
                              "64:ff9b::a00:1",
                              "2002:a00:1::1",
                              "2002:7f00:1::"}) {
    EXPECT_FALSE(IsPublic(address)) << address;
  }
}

TEST(WebhookRules, OthersArePublic) {
  for (const char* address : {"1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1",
                              "192.167.1.1", "223.255.255.255", "2606:4700::1111", "2a00:1450:4001::1", "3fff:1000::1",
                              "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"}) {
    EXPECT_TRUE(IsPublic(address)) << address;
  }
}

TEST(WebhookRules, AnAddressOfAnotherFamilyIsNotPublic) {
  sockaddr_storage storage{};
  storage.ss_family = AF_UNIX;
  EXPECT_FALSE(IsPublicAddress(reinterpret_cast<const sockaddr&>(storage)));
}

TEST(WebhookRules, AnHttpsUrlIsTaken) {
  EXPECT_EQ(Wrong("https://push.example.org"), "");
  EXPECT_EQ(Wrong("https://push.example.org:8443/caresync?agency=7"), "");
  EXPECT_EQ(Wrong("https://8.8.8.8/push"), "");
  EXPECT_EQ(Wrong("https://[2606:4700::1111]/push"), "");
}

TEST(WebhookRules, PlainHttpIsRefusedUnlessAllowed) {
  EXPECT_THAT(Wrong("http://push.example.org/"), HasSubstr("--webhooks-allow-http"));
  EXPECT_EQ(Wrong("http://push.example.org/", {.allow_http = true}), "");
}

TEST(WebhookRules, LoopbackAndLinkLocalAreRefusedUnlessAllowed) {
  for (const char* url : {"https://127.0.0.1/", "https://127.1/", "https://0x7f000001/", "https://2130706433/",
                          "https://localhost/", "https://LOCALHOST./", "https://push.localhost/", "https://[::1]/",
                          "https://[fe80::1]/", "https://[fe80::1%25eth0]/", "https://169.254.169.254/latest/meta-data",
                          "https://10.0.0.7:8080/", "https://[::ffff:192.168.0.1]/"}) {
    EXPECT_THAT(Wrong(url), HasSubstr("--webhooks-allow-private")) << url;
  }
  EXPECT_EQ(Wrong("https://127.0.0.1:8080/push", {.allow_private = true}), "");
  EXPECT_EQ(Wrong("https://localhost/push", {.allow_private = true}), "");
}

TEST(WebhookRules, WhatIsNoUrlOfAWebhookIsRefused) {
  for (const char* url :
       {"", "push.example.org", "https://", "https://push.example.org:99999/", "https://push example.org/",
        "https://push.example.org/\r\nHost: x", "ftp://example.org/", "file:///etc/passwd", "gopher://example.org/"}) {
    EXPECT_NE(Wrong(url, {.allow_http = true, .allow_private = true}), "") << url;
  }
  EXPECT_THAT(Wrong("https://ann:secret@push.example.org/"), HasSubstr("password"));
  EXPECT_THAT(Wrong("https://push.example.org/#here"), HasSubstr("fragment"));
  EXPECT_THAT(Wrong("https://push.example.org/" + std::string(base::limits::kWebhookUrlBytes, 'a')),
              HasSubstr("at most"));
}

}  // namespace
}  // namespace caresync::outbox
