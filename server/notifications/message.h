// What is said of mismatches outside the console. Pure functions.
//
// To an agency's own systems: JSON, as docs/webhooks.md says. IDs, states and times, and no word that names a person or
// tells of one: who receives it asks for what it may see. By e-mail: what the console's list says first, the carer's
// name among it, and what changed, from when to when, so that whoever reads it can tell the carer by phone; and no word
// of whom the visit is to: where that changed, that it is somebody else.
#ifndef CARESYNC_SERVER_NOTIFICATIONS_MESSAGE_H_
#define CARESYNC_SERVER_NOTIFICATIONS_MESSAGE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "caresync/v1/mismatches.pb.h"
#include "server/base/ids.h"
#include "server/mismatch/mismatch_rows.h"

namespace caresync::notifications {

// One mismatch that was raised. `start`: the one that counts (mismatch/due.h), by which lists rank it.
std::string MismatchBody(const base::TenantId& tenant, const v1::Mismatch& mismatch, absl::Time start);

// Many of a branch (its record's ID, or empty) that were raised.
struct Raised {
  mismatch::CarerVisit of;
  // The start that counts.
  absl::Time start;
};
// At least one. Names limits::kMismatchesNamed of them, those that start first.
std::string MismatchesBody(const base::TenantId& tenant, const std::string& branch, const std::vector<Raised>& raised);

// More of a branch's devices are overdue than `percent` in a hundred, or no more of them (`is_over`).
struct OverdueMessage {
  std::string branch;
  uint64_t devices = 0;
  uint64_t overdue = 0;
  uint64_t percent = 0;
  bool is_over = false;
};
std::string OverdueBody(const base::TenantId& tenant, const OverdueMessage& message);

// ---- By e-mail, from the `agency`, as its tenant's display name says, with times in `zone`

struct MailText {
  // ASCII, and without a name: it is shown on locked screens.
  std::string subject;
  std::string text;
};
MailText MismatchMail(const std::string& agency, const v1::Mismatch& mismatch, absl::Time start, absl::TimeZone zone);
// `listed`: those of them that it lists, a line each, in that order.
MailText MismatchesMail(const std::string& agency, const std::vector<Raised>& raised,
                        const std::vector<v1::Mismatch>& listed, absl::TimeZone zone);
MailText OverdueMail(const std::string& agency, const OverdueMessage& message);

}  // namespace caresync::notifications

#endif  // CARESYNC_SERVER_NOTIFICATIONS_MESSAGE_H_
