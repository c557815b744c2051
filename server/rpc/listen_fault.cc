#include "server/rpc/listen_fault.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"

namespace caresync::rpc {
namespace {

// 0: the address can be bound to; else why not.
int BindError(const addrinfo& address) {
  const int socket = ::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC, address.ai_protocol);
  if (socket < 0) return errno;
  // As gRPC does: a connection that has just ended does not keep the port.
  const int reuse = 1;
  setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse));
  const int error = bind(socket, address.ai_addr, address.ai_addrlen) == 0 ? 0 : errno;
  close(socket);
  return error;
}

// Of a name's several addresses it is enough that this machine has one: localhost is also that of an IPv6 which many
// containers lack.
bool IsOfAnotherMachine(int error) { return error == EADDRNOTAVAIL || error == EAFNOSUPPORT; }

std::string TextOf(int error) {
  switch (error) {
    case EADDRINUSE:
      return "another program uses the port; stop it, or choose another port";
    case EACCES:
      return "the server's user may not use the port; choose one from 1024 on, or give it the right to";
    case EADDRNOTAVAIL:
      return "the address is none of this machine's; name one that is, or 0.0.0.0 for all";
    default:
      return absl::StrCat(std::strerror(error), "; choose another address");
  }
}

}  // namespace

std::string WhyNothingListens(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return "it is not HOST:PORT";
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);

  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int unknown = getaddrinfo(host.c_str(), address.substr(colon + 1).c_str(), &hints, &found);
  if (unknown != 0) {
    return absl::StrCat("the host is not known here (", gai_strerror(unknown), "); correct it, or name an IP address");
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> all(found, &freeaddrinfo);
  int fault = 0;
  for (const addrinfo* one = all.get(); one != nullptr; one = one->ai_next) {
    const int error = BindError(*one);
    if (error != 0 && (fault == 0 || IsOfAnotherMachine(fault))) fault = error;
  }
  return fault == 0 ? "nothing is in the way any more; start the server again" : TextOf(fault);
}

}  // namespace caresync::rpc
