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
// For any: the contract's texts are UTF-8, and protobuf complains of others by itself.
std::string IsUtf8(const std::string& text);
// For the server's address: HOST:PORT.
std::string IsServer(const std::string& text);
// For a bearer token: it goes into a header, where gRPC ends the process for what a header may not hold. What is wrong
// never repeats it.
std::string IsToken(const std::string& text);
// For the text of a note: the server would put any other to review, where nobody can mend it.
std::string IsNote(const std::string& text);

}  // namespace caresync::cli

#endif  // CARESYNC_TOOLS_CARESYNC_ARGUMENTS_H_
