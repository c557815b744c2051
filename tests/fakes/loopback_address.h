// The addresses of tests that speak to sockets themselves.
#ifndef CARESYNC_TESTS_FAKES_LOOPBACK_ADDRESS_H_
#define CARESYNC_TESTS_FAKES_LOOPBACK_ADDRESS_H_

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>

#include "absl/base/internal/raw_logging.h"

namespace caresync::fakes {

// 127.0.0.1 at `port`; 0: at one that is free, to listen on.
inline sockaddr_in LoopbackAddress(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

// A socket that listens on a free port of the loopback; the caller closes it.
inline int ListenOnLoopback(int backlog) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = LoopbackAddress(0);
  const bool listens = bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 &&
                       listen(listener, backlog) == 0;
  ABSL_RAW_CHECK(listens, "cannot listen on the loopback");
  return listener;
}

// Where a socket listens.
inline int PortOf(int listener) {
  sockaddr_in address{};
  socklen_t length = sizeof(address);
  ABSL_RAW_CHECK(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) == 0, "no port");
  return ntohs(address.sin_port);
}

}  // namespace caresync::fakes

#endif  // CARESYNC_TESTS_FAKES_LOOPBACK_ADDRESS_H_
