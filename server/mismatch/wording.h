// What the office is told of a mismatch, in English. Pure functions.
#ifndef CARESYNC_SERVER_MISMATCH_WORDING_H_
#define CARESYNC_SERVER_MISMATCH_WORDING_H_

#include <string>

#include "absl/time/time.h"
#include "caresync/v1/mismatches.pb.h"

namespace caresync::mismatch {

// Of a mismatch with all else filled in: what happened, such as "The rota changed and Ann Smith has not synced Pixel 6
// since."
std::string Headline(const v1::Mismatch& mismatch);
// What to do about it, such as "Ask Ann Smith for a manual sync, with the app open and the screen on." Empty for one
// that is resolved or closed.
std::string Advice(const v1::Mismatch& mismatch);

// The same of several that are told as one, with all else filled in; times are by the clock of `zone`. Of one alone,
// what is said of that.
std::string Headline(const v1::MismatchGroup& group, absl::TimeZone zone);
std::string Advice(const v1::MismatchGroup& group);

// ---- Pieces of such sentences, for whoever else tells of a carer and a device

// Names may be gone with their records: then "carer " and the ID.
std::string CarerText(const std::string& name, const std::string& carer_id);
// " (STREAM_CUT)", where the last call says why it failed.
std::string ReasonText(const v1::MismatchDevice& device);
// "its last 3 calls failed (STREAM_CUT)". The last one did.
std::string FailureText(const v1::MismatchDevice& device);
// "Ask Ann Smith for a manual sync, with the app open and the screen on."
std::string AskForSync(const std::string& carer);
// What helps a device that did not take a change: where its last call failed, by what that failed for (see
// server/devices/call_advice.h), with a word by phone where the carer cannot put it right; else a manual sync. `carer`
// and `device_text` are how a sentence calls them.
std::string CallAdvice(const v1::MismatchDevice& device, const std::string& carer, const std::string& device_text);
// The app's version, or "of no known version".
std::string AppText(const v1::MismatchDevice& device);

}  // namespace caresync::mismatch

#endif  // CARESYNC_SERVER_MISMATCH_WORDING_H_
