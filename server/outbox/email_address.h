// Addresses that e-mail may be sent to.
#ifndef CARESYNC_SERVER_OUTBOX_EMAIL_ADDRESS_H_
#define CARESYNC_SERVER_OUTBOX_EMAIL_ADDRESS_H_

#include <string_view>

namespace caresync::outbox {

// Whether it is local@domain (RFC 5321) of plain ASCII: no quotes, no comment, no name beside it, and a domain of at
// least two labels. So nothing in it ends a line of a message's header or a command, or adds another address.
// Pure; safe from any thread.
bool IsEmailAddress(std::string_view text);

}  // namespace caresync::outbox

#endif  // CARESYNC_SERVER_OUTBOX_EMAIL_ADDRESS_H_
