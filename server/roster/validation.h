// What a roster change must look like. Pure functions; safe from any thread.
#ifndef CARESYNC_SERVER_ROSTER_VALIDATION_H_
#define CARESYNC_SERVER_ROSTER_VALIDATION_H_

#include <string_view>

#include "absl/status/status.h"
#include "caresync/v1/roster.pb.h"

namespace caresync::roster {

// OK, or the first thing that is wrong, by name: INVALID_EXTERNAL_ID, RECORD_MISSING, INVALID_FIELD (naming the field).
absl::Status Validate(const v1::RosterChange& change);

// A source's name: 1 to 64 characters of a-z, 0-9, '-', '_' and '.'. INVALID_FIELD.
absl::Status ValidateSource(std::string_view source);

// Ten digits whose last is the Modulus 11 check digit of the NHS Data Dictionary: weights 10 to 2 over the first nine,
// 11 minus the remainder; 11 counts as 0, 10 is invalid.
bool IsNhsNumber(std::string_view digits);

}  // namespace caresync::roster

#endif  // CARESYNC_SERVER_ROSTER_VALIDATION_H_
