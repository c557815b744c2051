// SQLite's C API as values that clean up after themselves.
#ifndef CARESYNC_TOOLS_CARESYNC_SQLITE_H_
#define CARESYNC_TOOLS_CARESYNC_SQLITE_H_

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct sqlite3;
struct sqlite3_stmt;

namespace caresync::cli {

// Bytes, as opposed to text.
struct Blob {
  std::string_view bytes;
};
// What a parameter is bound to; monostate is NULL.
using SqlValue = std::variant<std::monostate, int64_t, std::string_view, Blob>;

// The row that a query is at; valid during the callback only.
class Row {
 public:
  explicit Row(sqlite3_stmt* statement) : statement_(statement) {}
  // 0 for NULL.
  int64_t Int(int column) const;
  // Text or bytes; empty for NULL.
  std::string Bytes(int column) const;

 private:
  sqlite3_stmt* statement_;
};

// One connection. Not thread-safe. Errors: DEVICE_STORE_FAILED; DEVICE_STORE_NOT_VALID where the file is no database.
class Database {
 public:
  // Makes the file where there is none. A commit that returned outlives a power cut.
  static absl::StatusOr<Database> Open(const std::string& file);

  // One statement without rows.
  absl::Status Run(std::string_view sql, std::initializer_list<SqlValue> values = {}) const;
  // Several statements without parameters.
  absl::Status RunScript(const std::string& sql) const;
  // Calls `row` for each row. `row` must not write.
  absl::Status Query(std::string_view sql, std::initializer_list<SqlValue> values,
                     absl::FunctionRef<void(const Row&)> row) const;

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  Database(std::string file, std::unique_ptr<sqlite3, Close> database);
  absl::Status Failed() const;

  std::string file_;
  std::unique_ptr<sqlite3, Close> database_;
};

// Takes everything back unless committed. `database` must outlive it.
class SqlTransaction {
 public:
  static absl::StatusOr<SqlTransaction> Begin(const Database& database);
  SqlTransaction(SqlTransaction&& other) noexcept;
  SqlTransaction& operator=(SqlTransaction&&) = delete;
  ~SqlTransaction();

  // All or nothing, durable when it returns OK.
  absl::Status Commit();

 private:
  explicit SqlTransaction(const Database& database) : database_(&database) {}
  const Database* database_;
};

}  // namespace caresync::cli

#endif  // CARESYNC_TOOLS_CARESYNC_SQLITE_H_
