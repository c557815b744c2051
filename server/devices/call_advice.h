// What helps a device whose last call failed: one table, from the reason that the call ended with
// (server/base/errors.h) to the remedy, and one sentence or two for each remedy. Whoever tells people of a failing
// device uses it, so that the report, the mismatches and the way of a visit advise the same. Pure functions.
#ifndef CARESYNC_SERVER_DEVICES_CALL_ADVICE_H_
#define CARESYNC_SERVER_DEVICES_CALL_ADVICE_H_

#include <string>
#include <string_view>

namespace caresync::devices {

// Who has to do what before the device's next call can do better.
enum class CallRemedy {
  kNotKnown,        // The reason is none of the table: a later server's, in a store that was put back.
  kNetwork,         // The connection was cut, slow or silent; also where no reason is known.
  kStayInApp,       // The app ended its stream: it was left too soon.
  kNone,            // The device's other stream goes on.
  kSignIn,          // The carer signs in again.
  kCredentials,     // Whoever issues the credentials: signing in again brings another such.
  kMakeUser,        // The office makes the carer a user of the device.
  kCarerLeft,       // The office gives the device its next user.
  kSendCarer,       // The rostering system sends the carer.
  kUnblock,         // The office unblocks it.
  kInstallAnew,     // Two phones, one UUID.
  kUpdateApp,       // The carer updates the app.
  kUploadFirst,     // The carer finishes what is open, and a standard sync comes before the clean one.
  kSyncForNewCopy,  // The next sync makes a new copy.
  kSendRotaAgain,   // The wait after a restore.
  kWait,            // The server had too much to do; the device comes back by itself.
  kOperator,        // The server's store is full, does not answer, or is damaged.
  kAppMaker,        // The app does what the protocol does not allow.
};

// An empty reason, of which nothing is known, is kNetwork: what a sync needs is all that can be said.
CallRemedy RemedyOf(std::string_view reason);

// Whether it takes others than the carer and time: until then no sync brings the carer anything new.
bool NeedsOthers(CallRemedy remedy);

// A sentence or two. `carer` and `device` stand within them: "Ann Smith" or "the carer", "Pixel 6" or "the device".
std::string AdviceText(CallRemedy remedy, const std::string& carer, const std::string& device);

}  // namespace caresync::devices

#endif  // CARESYNC_SERVER_DEVICES_CALL_ADVICE_H_
