#include "server/base/host_port.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace caresync::base {
namespace {

constexpr uint32_t kMostPort = 65'535;
// Of the longest, 65535.
constexpr size_t kPortDigits = 5;

bool IsPort(std::string_view text, uint32_t least) {
  if (text.empty() || text.size() > kPortDigits) return false;
  uint32_t port = 0;
  for (const char digit : text) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(digit))) return false;
    port = port * 10 + static_cast<uint32_t>(digit - '0');
  }
  return port >= least && port <= kMostPort;
}

bool InBrackets(std::string_view host) { return host.size() > 2 && host.front() == '[' && host.back() == ']'; }

// The address between the brackets; a link-local one may name its interface behind a '%' (RFC 4007).
std::string Bracketed(std::string_view host) {
  const std::string_view inside = host.substr(1, host.size() - 2);
  return std::string(inside.substr(0, inside.find('%')));
}

bool IsHost(std::string_view host) {
  if (InBrackets(host)) {
    in6_addr address = {};
    return inet_pton(AF_INET6, Bracketed(host).c_str(), &address) == 1;
  }
  return !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == '_';
  });
}

}  // namespace

std::string WrongHostPort(std::string_view address, uint32_t least_port) {
  const size_t colon = address.rfind(':');
  if (colon != std::string_view::npos && IsHost(address.substr(0, colon)) &&
      IsPort(address.substr(colon + 1), least_port)) {
    return "";
  }
  return absl::StrCat("\"", std::string(address), "\" is not HOST:PORT with a port of ", least_port, " to ", kMostPort);
}

bool StaysOnThisMachine(std::string_view address) {
  const std::string_view host = address.substr(0, address.rfind(':'));
  if (InBrackets(host)) {
    in6_addr six = {};
    if (inet_pton(AF_INET6, Bracketed(host).c_str(), &six) != 1) return false;
    return std::memcmp(&six, &in6addr_loopback, sizeof(six)) == 0 || std::memcmp(&six, &in6addr_any, sizeof(six)) == 0;
  }
  const std::string name(host);
  in_addr four = {};
  if (inet_pton(AF_INET, name.c_str(), &four) != 1) return absl::EqualsIgnoreCase(name, "localhost");
  const uint32_t number = ntohl(four.s_addr);
  return number == INADDR_ANY || number >> 24 == 127;
}

}  // namespace caresync::base
