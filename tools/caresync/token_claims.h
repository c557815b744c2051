// What a bearer token that a person gave says of itself (JWT, RFC 7519). Nothing of it is verified: it serves only to
// refuse, before any call, a command that would act elsewhere than it says. Whether the token is worth anything the
// server says.
//
// Pure functions, but for SettleTenant's look at the environment; safe from any thread.
#ifndef CARESYNC_TOOLS_CARESYNC_TOKEN_CLAIMS_H_
#define CARESYNC_TOOLS_CARESYNC_TOKEN_CLAIMS_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tools/caresync/connection.h"

namespace caresync::cli {

// Each is empty where the token does not say it.
struct TokenClaims {
  // An operator's names none.
  std::string tenant;
  std::string role;
  std::string subject;
};

// Nothing of a text that is no such token.
TokenClaims ReadUnverified(const std::string& token);

// Where the options' token names a tenant, that is the tenant of the command: sets it where none is given. Errors:
// USAGE where another is given, by --tenant or by CARESYNC_TENANT.
absl::Status SettleTenant(Options& options);

// The source that a command is of: the one that was given, else the one of the options' rostering token, else
// rota-import. Errors: USAGE where that token is of another than the one that was given.
absl::StatusOr<std::string> SourceOf(const Options& options, const std::optional<std::string>& given);

}  // namespace caresync::cli

#endif  // CARESYNC_TOOLS_CARESYNC_TOKEN_CLAIMS_H_
