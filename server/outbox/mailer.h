// The seam to whoever takes e-mail.
#ifndef CARESYNC_SERVER_OUTBOX_MAILER_H_
#define CARESYNC_SERVER_OUTBOX_MAILER_H_

#include <string>

#include "absl/time/time.h"
#include "server/outbox/sender.h"

namespace caresync::outbox {

// One e-mail of plain text.
struct Mail {
  // As IsEmailAddress (email_address.h) says.
  std::string to;
  // ASCII; control characters in it are sent as spaces.
  std::string subject;
  // UTF-8; lines end with "\n".
  std::string text;
  // Names it, the same each time that it is sent: a UUID.
  std::string id;
  absl::Time time;
};

// Thread-safe.
class Mailer {
 public:
  virtual ~Mailer() = default;

  // As Sender::Send.
  virtual void Send(Mail mail, SendDone done) = 0;
};

}  // namespace caresync::outbox

#endif  // CARESYNC_SERVER_OUTBOX_MAILER_H_
