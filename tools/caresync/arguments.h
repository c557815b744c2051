// What an argument must be, for CLI11's Option::check: each returns what is wrong with `text`; empty where nothing is.
//
// Pure functions; safe from any thread.
#ifndef CARESYNC_TOOLS_CARESYNC_ARGUMENTS_H_
#define CARESYNC_TOOLS_CARESYNC_ARGUMENTS_H_

#include <string>

namespace caresync::cli {

// For an argument of which "" says nothing: a script gives it where a variable was never set, and must not get
// everything, or nobody, for what it named.
std::string NotEmpty(const std::string& text);

}  // namespace caresync::cli

#endif  // CARESYNC_TOOLS_CARESYNC_ARGUMENTS_H_
