#include "tools/caresync/sqlite.h"

#include <sqlite3.h>

#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "server/base/status_macros.h"
#include "tools/caresync/errors.h"

namespace caresync::cli {
namespace {

struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

int Bind(sqlite3_stmt* statement, int index, const SqlValue& value) {
  if (const auto* number = std::get_if<int64_t>(&value)) return sqlite3_bind_int64(statement, index, *number);
  if (const auto* text = std::get_if<std::string_view>(&value)) {
    return sqlite3_bind_text64(statement, index, text->data() == nullptr ? "" : text->data(), text->size(),
                               SQLITE_STATIC, SQLITE_UTF8);
  }
  if (const auto* blob = std::get_if<Blob>(&value)) {
    return sqlite3_bind_blob64(statement, index, blob->bytes.data() == nullptr ? "" : blob->bytes.data(),
                               blob->bytes.size(), SQLITE_STATIC);
  }
  return sqlite3_bind_null(statement, index);
}

}  // namespace

int64_t Row::Int(int column) const { return sqlite3_column_int64(statement_, column); }

std::string Row::Bytes(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  if (data == nullptr) return "";
  return std::string(static_cast<const char*>(data), static_cast<size_t>(sqlite3_column_bytes(statement_, column)));
}

void Database::Close::operator()(sqlite3* database) const { sqlite3_close_v2(database); }

Database::Database(std::string file, std::unique_ptr<sqlite3, Close> database)
    : file_(std::move(file)), database_(std::move(database)) {}

absl::Status Database::Failed() const {
  if (sqlite3_errcode(database_.get()) == SQLITE_NOTADB) return errors::DeviceStoreNotValid(file_);
  return errors::DeviceStoreFailed(file_, sqlite3_errmsg(database_.get()));
}

absl::StatusOr<Database> Database::Open(const std::string& file) {
  sqlite3* raw = nullptr;
  const int result = sqlite3_open_v2(file.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
  if (raw == nullptr) return errors::DeviceStoreFailed(file, "out of memory");
  Database database(file, std::unique_ptr<sqlite3, Close>(raw));
  if (result != SQLITE_OK) return database.Failed();
  sqlite3_busy_timeout(raw, 5'000);
  // An acknowledged batch must be there after a power cut: the log is flushed at every commit.
  RETURN_IF_ERROR(database.RunScript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON"));
  return database;
}

absl::Status Database::Run(std::string_view sql, std::initializer_list<SqlValue> values) const {
  return Query(sql, values, [](const Row&) {});
}

absl::Status Database::RunScript(const std::string& sql) const {
  if (sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) return Failed();
  return absl::OkStatus();
}

absl::Status Database::Query(std::string_view sql, std::initializer_list<SqlValue> values,
                             absl::FunctionRef<void(const Row&)> row) const {
  sqlite3_stmt* raw = nullptr;
  if (sqlite3_prepare_v2(database_.get(), sql.data(), static_cast<int>(sql.size()), &raw, nullptr) != SQLITE_OK) {
    return Failed();
  }
  const std::unique_ptr<sqlite3_stmt, Finalize> statement(raw);
  int index = 0;
  for (const SqlValue& value : values) {
    if (Bind(raw, ++index, value) != SQLITE_OK) return Failed();
  }
  while (true) {
    const int step = sqlite3_step(raw);
    if (step == SQLITE_DONE) return absl::OkStatus();
    if (step != SQLITE_ROW) return Failed();
    row(Row(raw));
  }
}

absl::StatusOr<SqlTransaction> SqlTransaction::Begin(const Database& database) {
  RETURN_IF_ERROR(database.Run("BEGIN IMMEDIATE"));
  return SqlTransaction(database);
}

SqlTransaction::SqlTransaction(SqlTransaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}

SqlTransaction::~SqlTransaction() {
  // A transaction that cannot be taken back now is taken back when the file is opened next.
  if (database_ != nullptr) database_->Run("ROLLBACK").IgnoreError();
}

absl::Status SqlTransaction::Commit() {
  ABSL_RAW_CHECK(database_ != nullptr, "a transaction commits once");
  RETURN_IF_ERROR(database_->Run("COMMIT"));
  database_ = nullptr;
  return absl::OkStatus();
}

}  // namespace caresync::cli
