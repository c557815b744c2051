#include "server/outbox/webhook_rules.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <optional>

#include "absl/base/internal/endian.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"

namespace caresync::outbox {
namespace {

constexpr char kOnlyPublic[] =
    "no address that the Internet reaches; webhooks to loopback, private and link-local addresses are sent only where "
    "caresyncd was started with --webhooks-allow-private";

struct Block4 {
  uint32_t base;
  int bits;
};

// IANA's special-purpose registry, with multicast and what is reserved.
constexpr Block4 kNotPublic4[] = {
    {0x00000000, 8},   // 0.0.0.0/8
    {0x0A000000, 8},   // 10.0.0.0/8
    {0x64400000, 10},  // 100.64.0.0/10
    {0x7F000000, 8},   // 127.0.0.0/8
    {0xA9FE0000, 16},  // 169.254.0.0/16
    {0xAC100000, 12},  // 172.16.0.0/12
    {0xC0000000, 24},  // 192.0.0.0/24
    {0xC0000200, 24},  // 192.0.2.0/24
    {0xC0586300, 24},  // 192.88.99.0/24
    {0xC0A80000, 16},  // 192.168.0.0/16
    {0xC6120000, 15},  // 198.18.0.0/15
    {0xC6336400, 24},  // 198.51.100.0/24
    {0xCB007100, 24},  // 203.0.113.0/24
    {0xE0000000, 3},   // 224.0.0.0/3: multicast, reserved, broadcast
};

bool IsPublic4(uint32_t address) {
  return std::none_of(std::begin(kNotPublic4), std::end(kNotPublic4),
                      [address](const Block4& block) { return (address ^ block.base) >> (32 - block.bits) == 0; });
}

using Bytes6 = std::array<uint8_t, 16>;

bool Begins(const Bytes6& address, std::initializer_list<uint8_t> prefix) {
  return std::equal(prefix.begin(), prefix.end(), address.begin());
}

uint32_t Embedded4(const Bytes6& address, size_t at) { return absl::big_endian::Load32(&address[at]); }

bool IsPublic6(const Bytes6& address) {
  // Mapped IPv4, and those behind a NAT64.
  if (Begins(address, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF})) return IsPublic4(Embedded4(address, 12));
  if (Begins(address, {0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0})) return IsPublic4(Embedded4(address, 12));
  // 2000::/3 is all that is global unicast today.
  if ((address[0] & 0xE0) != 0x20) return false;
  // 2001::/23: protocols, Teredo among them. 2001:db8::/32 and 3fff::/20: documentation. 2002::/16: 6to4.
  if (Begins(address, {0x20, 0x01}) && (address[2] & 0xFE) == 0) return false;
  if (Begins(address, {0x20, 0x01, 0x0D, 0xB8})) return false;
  if (Begins(address, {0x3F, 0xFF}) && (address[2] & 0xF0) == 0) return false;
  if (Begins(address, {0x20, 0x02})) return IsPublic4(Embedded4(address, 2));
  return true;
}

using Url = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

// Empty where the URL has no such part.
std::string PartOf(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return "";
  std::string copy = text;
  curl_free(text);
  return copy;
}

// nullopt where the host is a name.
std::optional<bool> IsPublicLiteral(std::string host) {
  in_addr in4{};
  if (inet_pton(AF_INET, host.c_str(), &in4) == 1) return IsPublic4(ntohl(in4.s_addr));
  if (!absl::StartsWith(host, "[") || !absl::EndsWith(host, "]")) return std::nullopt;
  host = host.substr(1, host.size() - 2);
  Bytes6 in6{};
  // One that cannot be read, as with a zone, is none that the Internet reaches.
  return inet_pton(AF_INET6, host.c_str(), in6.data()) == 1 && IsPublic6(in6);
}

bool IsLocalName(std::string host) {
  absl::AsciiStrToLower(&host);
  if (absl::EndsWith(host, ".")) host.pop_back();
  return host == "localhost" || absl::EndsWith(host, ".localhost");
}

absl::Status CheckHost(std::string_view field, const std::string& host, const WebhookRules& rules) {
  if (rules.allow_private) return absl::OkStatus();
  if (IsLocalName(host) || !IsPublicLiteral(host).value_or(true)) {
    return base::errors::InvalidArgument(field, absl::StrCat("points to ", host, ", ", kOnlyPublic));
  }
  return absl::OkStatus();
}

absl::Status CheckScheme(std::string_view field, const std::string& scheme, const WebhookRules& rules) {
  if (scheme == "https" || (scheme == "http" && rules.allow_http)) return absl::OkStatus();
  if (scheme == "http") {
    return base::errors::InvalidArgument(
        field, "begins with http://; give an https:// URL, or start caresyncd with --webhooks-allow-http");
  }
  return base::errors::InvalidArgument(field, "does not begin with https://");
}

}  // namespace

bool IsPublicAddress(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    sockaddr_in in4{};
    std::memcpy(&in4, &address, sizeof(in4));
    return IsPublic4(ntohl(in4.sin_addr.s_addr));
  }
  if (address.sa_family != AF_INET6) return false;
  sockaddr_in6 in6{};
  std::memcpy(&in6, &address, sizeof(in6));
  Bytes6 bytes{};
  std::memcpy(bytes.data(), &in6.sin6_addr, bytes.size());
  return IsPublic6(bytes);
}

absl::Status CheckWebhookUrl(std::string_view field, const std::string& url, const WebhookRules& rules) {
  using base::errors::InvalidArgument;
  if (url.size() > base::limits::kWebhookUrlBytes) {
    return InvalidArgument(field, absl::StrCat("has ", url.size(), " bytes; at most ", base::limits::kWebhookUrlBytes));
  }
  const bool plain = std::all_of(url.begin(), url.end(), [](unsigned char c) { return absl::ascii_isgraph(c); });
  const Url parts(curl_url(), &curl_url_cleanup);
  if (!plain || curl_url_set(parts.get(), CURLUPART_URL, url.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK) {
    return InvalidArgument(field, "is no URL; give one such as https://push.example.org/caresync");
  }
  RETURN_IF_ERROR(CheckScheme(field, PartOf(parts.get(), CURLUPART_SCHEME), rules));
  if (!PartOf(parts.get(), CURLUPART_USER).empty() || !PartOf(parts.get(), CURLUPART_PASSWORD).empty()) {
    return InvalidArgument(field,
                           "holds a user or a password, which everybody who sees the URL would see; the "
                           "signature says who sends");
  }
  if (!PartOf(parts.get(), CURLUPART_FRAGMENT).empty()) {
    return InvalidArgument(field, "has a fragment (#), which is never sent");
  }
  return CheckHost(field, PartOf(parts.get(), CURLUPART_HOST), rules);
}

}  // namespace caresync::outbox
