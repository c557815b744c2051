// Why nothing can listen on an address: gRPC says only that it could not.
#ifndef CARESYNC_SERVER_RPC_LISTEN_FAULT_H_
#define CARESYNC_SERVER_RPC_LISTEN_FAULT_H_

#include <string>

namespace caresync::rpc {

// What keeps a listener from `address` (HOST:PORT, HOST an IPv6 address in brackets too), and what to do about it:
// found by binding a socket of its own to it, as gRPC does, and closing that again. Where nothing is in the way any
// more it says so. Waits while the host is looked up: for the start of the process only.
std::string WhyNothingListens(const std::string& address);

}  // namespace caresync::rpc

#endif  // CARESYNC_SERVER_RPC_LISTEN_FAULT_H_
