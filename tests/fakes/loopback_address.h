// The addresses of tests that speak to sockets themselves.
#ifndef CARESYNC_TESTS_FAKES_LOOPBACK_ADDRESS_H_
#define CARESYNC_TESTS_FAKES_LOOPBACK_ADDRESS_H_

#include <netinet/in.h>

#include <cstdint>

namespace caresync::fakes {

// 127.0.0.1 at `port`; 0: at one that is free, to listen on.
inline sockaddr_in LoopbackAddress(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

}  // namespace caresync::fakes

#endif  // CARESYNC_TESTS_FAKES_LOOPBACK_ADDRESS_H_
