// Early return on an absl::Status that is not OK.
#ifndef CARESYNC_SERVER_BASE_STATUS_MACROS_H_
#define CARESYNC_SERVER_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define CARESYNC_CONCAT_INNER(a, b) a##b
#define CARESYNC_CONCAT(a, b) CARESYNC_CONCAT_INNER(a, b)

#define RETURN_IF_ERROR(expression)                                         \
  do {                                                                      \
    if (absl::Status status_ = (expression); !status_.ok()) return status_; \
  } while (false)

#define ASSIGN_OR_RETURN(declaration, expression) \
  ASSIGN_OR_RETURN_INNER(CARESYNC_CONCAT(status_or_, __LINE__), declaration, expression)
#define ASSIGN_OR_RETURN_INNER(result, declaration, expression) \
  auto result = (expression);                                   \
  if (!result.ok()) return std::move(result).status();          \
  declaration = *std::move(result)

#endif  // CARESYNC_SERVER_BASE_STATUS_MACROS_H_
