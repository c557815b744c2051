// Where a server listens, as people give it. Pure functions; safe from any thread.
#ifndef CARESYNC_SERVER_BASE_HOST_PORT_H_
#define CARESYNC_SERVER_BASE_HOST_PORT_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace caresync::base {

// What is wrong with `address`, for people; empty where it is HOST:PORT with a port of `least_port` to 65535. HOST is a
// name, an IPv4 address, or an IPv6 address in brackets. gRPC itself takes a port modulo 65536, looks any other text up
// as a name, and takes a missing port for some of its own.
std::string WrongHostPort(std::string_view address, uint32_t least_port);

// Whether what is sent to `address`, of which nothing is wrong, stays on this machine: localhost and the loopback
// addresses (RFC 6890), and those of no host, 0.0.0.0 and [::], by which a system connects to itself. Any other name
// may be of any machine.
bool StaysOnThisMachine(std::string_view address);

}  // namespace caresync::base

#endif  // CARESYNC_SERVER_BASE_HOST_PORT_H_
