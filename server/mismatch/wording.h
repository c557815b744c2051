// What the office is told of a mismatch, in English. Pure functions.
#ifndef CARESYNC_SERVER_MISMATCH_WORDING_H_
#define CARESYNC_SERVER_MISMATCH_WORDING_H_

#include <string>

#include "caresync/v1/mismatches.pb.h"

namespace caresync::mismatch {

// Of a mismatch with all else filled in: what happened, such as "The rota changed and Ann Smith has not synced Pixel 6
// since."
std::string Headline(const v1::Mismatch& mismatch);
// What to do about it, such as "Ask Ann Smith for a manual sync, with the app open and the screen on." Empty for one
// that is resolved or closed.
std::string Advice(const v1::Mismatch& mismatch);

// The same of several that are told as one, with all else filled in. Of one alone, what is said of that.
std::string Headline(const v1::MismatchGroup& group);
std::string Advice(const v1::MismatchGroup& group);

}  // namespace caresync::mismatch

#endif  // CARESYNC_SERVER_MISMATCH_WORDING_H_
