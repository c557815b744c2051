#include "tools/caresync/device_store.h"

#include <fcntl.h>
#include <openssl/sha.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "tools/caresync/errors.h"

namespace caresync::cli {
namespace {

constexpr int64_t kFormat = 3;
constexpr absl::Duration kAnsweredEventsKept = absl::Hours(24 * 14);

constexpr char kTables[] = R"sql(
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS copies (
  copy_id INTEGER PRIMARY KEY AUTOINCREMENT,
  carer_id TEXT NOT NULL,
  in_use INTEGER NOT NULL,
  rebuild_number INTEGER NOT NULL,
  token BLOB NOT NULL,
  revision INTEGER NOT NULL,
  UNIQUE (carer_id, in_use));
CREATE TABLE IF NOT EXISTS records (
  copy_id INTEGER NOT NULL REFERENCES copies ON DELETE CASCADE,
  kind INTEGER NOT NULL,
  record_id TEXT NOT NULL,
  payload BLOB NOT NULL,
  PRIMARY KEY (copy_id, kind, record_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
  event_id TEXT PRIMARY KEY,
  sequence INTEGER NOT NULL UNIQUE,
  carer_id TEXT NOT NULL,
  event BLOB NOT NULL,
  outcome INTEGER NOT NULL,
  review_reason INTEGER NOT NULL,
  result_time INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS carers (
  carer_id TEXT PRIMARY KEY,
  open_visit_id TEXT NOT NULL DEFAULT '',
  syncing INTEGER NOT NULL DEFAULT 0,
  interruption INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
)sql";

// Of a record of a copy being made: it came with the carer's next visits.
constexpr char kSecondFormat[] = R"sql(
ALTER TABLE records ADD COLUMN next_visit INTEGER NOT NULL DEFAULT 0;
PRAGMA user_version = 2;
)sql";

// How a sync was interrupted is the device's, whichever carer's it was: it stands in the settings.
constexpr char kThirdFormat[] = R"sql(
ALTER TABLE carers DROP COLUMN syncing;
ALTER TABLE carers DROP COLUMN interruption;
PRAGMA user_version = 3;
)sql";

// The last sync that began has not ended: "1". How the one before it was interrupted: an InterruptionCause.
constexpr char kSyncing[] = "syncing";
constexpr char kInterruption[] = "interruption";

std::string BigEndian(uint32_t value) {
  std::string bytes(4, '\0');
  for (int i = 0; i < 4; ++i) bytes[i] = static_cast<char>(value >> (24 - 8 * i));
  return bytes;
}

std::string UploadsTokenSetting(std::string_view carer) { return absl::StrCat("uploads_token:", std::string(carer)); }

std::string ManualSyncDueSetting(std::string_view carer) {
  return absl::StrCat("manual_sync_due_since:", std::string(carer));
}

absl::StatusOr<int64_t> FormatOf(const Database& database) {
  int64_t format = 0;
  RETURN_IF_ERROR(database.Query("PRAGMA user_version", {}, [&](const Row& row) { format = row.Int(0); }));
  return format;
}

// Whether a file of this format is a device's, and not another program's. One of format 0 is to become one.
absl::StatusOr<bool> IsDevices(const Database& database, int64_t format) {
  int64_t tables = 0;
  int64_t ours = 0;
  RETURN_IF_ERROR(
      database.Query("SELECT count(*), total(name IN ('settings', 'copies', 'records', 'events', 'carers')) "
                     "FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
                     {}, [&](const Row& row) {
                       tables = row.Int(0);
                       ours = row.Int(1);
                     }));
  return format == 0 ? tables == 0 : ours == 5;
}

absl::Status MakeTables(const std::string& file, const Database& database) {
  ASSIGN_OR_RETURN(SqlTransaction transaction, SqlTransaction::Begin(database));
  // Another process may have been first.
  ASSIGN_OR_RETURN(const int64_t format, FormatOf(database));
  ASSIGN_OR_RETURN(const bool is_devices, IsDevices(database, format));
  if (!is_devices) return errors::DeviceStoreNotValid(file);
  if (format < 1) RETURN_IF_ERROR(database.RunScript(kTables));
  if (format < 2) RETURN_IF_ERROR(database.RunScript(kSecondFormat));
  if (format < 3) RETURN_IF_ERROR(database.RunScript(kThirdFormat));
  return transaction.Commit();
}

// Makes what there is not yet of a folder and those above it. What lies in them is nobody else's to read.
absl::Status MakeFolder(const std::filesystem::path& folder) {
  std::filesystem::path made;
  for (const std::filesystem::path& part : folder) {
    made /= part;
    mkdir(made.c_str(), S_IRWXU);
  }
  std::error_code failed;
  return std::filesystem::is_directory(folder, failed) ? absl::OkStatus() : errors::FileNotWritable(folder.string());
}

// The file, where there is none, before SQLite makes it for everybody to read; what SQLite puts beside it is as the
// file is. Only a file that is new is opened here: closing it would give back the locks of others in this process.
absl::Status MakeFile(const std::string& file) {
  const int made = open(file.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (made >= 0) close(made);
  std::error_code failed;
  const std::filesystem::file_status status = std::filesystem::status(file, failed);
  if (!std::filesystem::exists(status)) return errors::FileNotWritable(file);
  return std::filesystem::is_regular_file(status) ? absl::OkStatus() : errors::DeviceStoreNotValid(file);
}

}  // namespace

uint64_t Fingerprint(v1::RecordKind kind, std::string_view record_id, std::string_view payload) {
  std::string input = BigEndian(static_cast<uint32_t>(kind)) + BigEndian(static_cast<uint32_t>(record_id.size()));
  input.append(record_id).append(payload);
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(input.data()), input.size(), digest);
  uint64_t fingerprint = 0;
  for (int i = 0; i < 8; ++i) fingerprint = fingerprint << 8 | digest[i];
  return fingerprint;
}

SyncLock::~SyncLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

DeviceStore::DeviceStore(std::string file, std::string tenant, Database database)
    : file_(std::move(file)), tenant_(std::move(tenant)), database_(std::move(database)) {}

absl::StatusOr<DeviceStore> DeviceStore::Open(const std::string& file, std::string_view tenant) {
  RETURN_IF_ERROR(MakeFolder(std::filesystem::path(file).parent_path()));
  RETURN_IF_ERROR(MakeFile(file));
  ASSIGN_OR_RETURN(Database database, Database::Open(file));
  ASSIGN_OR_RETURN(const int64_t format, FormatOf(database));
  if (format > kFormat) return errors::DeviceStoreTooNew(file);
  if (format < kFormat) RETURN_IF_ERROR(MakeTables(file, database));
  ASSIGN_OR_RETURN(const bool is_devices, IsDevices(database, kFormat));
  if (!is_devices) return errors::DeviceStoreNotValid(file);
  DeviceStore store(file, std::string(tenant), std::move(database));
  RETURN_IF_ERROR(store.IsBound().status());
  return store;
}

absl::StatusOr<bool> DeviceStore::IsBound() const {
  ASSIGN_OR_RETURN(const std::string known, Setting("tenant"));
  if (!known.empty() && known != tenant_) return errors::DeviceOfOtherTenant(file_, known);
  return !known.empty();
}

absl::Status DeviceStore::Bind() const {
  ASSIGN_OR_RETURN(SqlTransaction transaction, SqlTransaction::Begin(database_));
  ASSIGN_OR_RETURN(const bool bound, IsBound());
  if (bound) return absl::OkStatus();
  RETURN_IF_ERROR(SetSetting("tenant", tenant_));
  return transaction.Commit();
}

absl::StatusOr<SyncLock> DeviceStore::LockForSync() const {
  // A file of its own: closing any descriptor of the database's file would drop SQLite's own locks.
  const std::string lock_file = file_ + ".lock";
  SyncLock lock(open(lock_file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (lock.descriptor_ < 0) return errors::FileNotWritable(lock_file);
  if (flock(lock.descriptor_, LOCK_EX | LOCK_NB) != 0) return errors::SyncRunsAlready(file_);
  return lock;
}

absl::StatusOr<std::optional<HeldCopy>> DeviceStore::FindCopy(std::string_view carer, bool in_use) const {
  std::optional<HeldCopy> copy;
  RETURN_IF_ERROR(database_.Query(
      "SELECT copy_id, rebuild_number, token, revision FROM copies WHERE carer_id = ? AND in_use = ?",
      {carer, int64_t{in_use}}, [&](const Row& row) {
        copy = HeldCopy{row.Int(0), static_cast<uint64_t>(row.Int(1)), row.Bytes(2), static_cast<uint64_t>(row.Int(3))};
      }));
  return copy;
}

absl::StatusOr<std::optional<HeldCopy>> DeviceStore::InUse(std::string_view carer) const {
  return FindCopy(carer, true);
}

absl::StatusOr<std::optional<HeldCopy>> DeviceStore::BeingMade(std::string_view carer) const {
  return FindCopy(carer, false);
}

absl::StatusOr<HeldCopy> DeviceStore::NamedCopy(std::string_view carer, uint64_t rebuild_number) const {
  ASSIGN_OR_RETURN(const std::optional<HeldCopy> copy, FindCopy(carer, rebuild_number == 0));
  if (!copy) return errors::ServerBrokeProtocol("changes for a copy that this device does not hold");
  if (rebuild_number != 0 && copy->rebuild_number != rebuild_number) {
    return errors::ServerBrokeProtocol("changes for another copy than the one being made");
  }
  return *copy;
}

absl::Status DeviceStore::DropUnfinished(std::string_view carer) const {
  return database_.Run("DELETE FROM copies WHERE carer_id = ? AND in_use = 0", {carer});
}

absl::Status DeviceStore::DropCopies(std::string_view carer) const {
  RETURN_IF_ERROR(SetManualSyncDueSince(carer, std::nullopt));
  return database_.Run("DELETE FROM copies WHERE carer_id = ?", {carer});
}

absl::Status DeviceStore::ForgetTokens(std::string_view carer) const {
  ASSIGN_OR_RETURN(SqlTransaction transaction, SqlTransaction::Begin(database_));
  RETURN_IF_ERROR(DropUnfinished(carer));
  RETURN_IF_ERROR(database_.Run("UPDATE copies SET token = x'' WHERE carer_id = ?", {carer}));
  return transaction.Commit();
}

absl::Status DeviceStore::BeginCopy(std::string_view carer, uint64_t rebuild_number) const {
  ASSIGN_OR_RETURN(SqlTransaction transaction, SqlTransaction::Begin(database_));
  RETURN_IF_ERROR(DropUnfinished(carer));
  RETURN_IF_ERROR(
      database_.Run("INSERT INTO copies (carer_id, in_use, rebuild_number, token, revision) VALUES (?, 0, ?, x'', 0)",
                    {carer, static_cast<int64_t>(rebuild_number)}));
  return transaction.Commit();
}

absl::Status DeviceStore::Apply(std::string_view carer, const v1::Changes& changes) const {
  ASSIGN_OR_RETURN(SqlTransaction transaction, SqlTransaction::Begin(database_));
  ASSIGN_OR_RETURN(const HeldCopy copy, NamedCopy(carer, changes.rebuild_number()));
  for (const v1::Upsert& upsert : changes.upserts()) {
    // Where it came with the next visits and comes again, it is still one of theirs.
    RETURN_IF_ERROR(database_.Run(
        "INSERT INTO records (copy_id, kind, record_id, payload, next_visit) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (copy_id, kind, record_id) DO UPDATE SET payload = excluded.payload",
        {copy.id, int64_t{upsert.kind()}, upsert.record_id(), Blob{upsert.payload()}, int64_t{changes.next_visits()}}));
  }
  for (const v1::Removal& removal : changes.removals()) {
    RETURN_IF_ERROR(database_.Run("DELETE FROM records WHERE copy_id = ? AND kind = ? AND record_id = ?",
                                  {copy.id, int64_t{removal.kind()}, removal.record_id()}));
  }
  RETURN_IF_ERROR(
      database_.Run("UPDATE copies SET token = ? WHERE copy_id = ?", {Blob{changes.resume_token()}, copy.id}));
  return transaction.Commit();
}

absl::Status DeviceStore::CaughtUp(std::string_view carer, const v1::CaughtUp& caught_up) const {
  ASSIGN_OR_RETURN(SqlTransaction transaction, SqlTransaction::Begin(database_));
  ASSIGN_OR_RETURN(const HeldCopy copy, NamedCopy(carer, caught_up.rebuild_number()));
  if (caught_up.rebuild_number() != 0) {
    RETURN_IF_ERROR(database_.Run("DELETE FROM copies WHERE carer_id = ? AND in_use = 1", {carer}));
  }
  RETURN_IF_ERROR(database_.Run("UPDATE copies SET in_use = 1, token = ?, revision = ? WHERE copy_id = ?",
                                {Blob{caught_up.resume_token()}, static_cast<int64_t>(caught_up.revision()), copy.id}));
  return transaction.Commit();
}

absl::StatusOr<v1::CopySum> DeviceStore::Holds(std::string_view carer) const {
  ASSIGN_OR_RETURN(const std::vector<HeldRecord> records, Records(carer));
  v1::CopySum sum;
  sum.set_count(records.size());
  uint64_t total = 0;
  for (const HeldRecord& record : records) total += Fingerprint(record.kind, record.id, record.payload);
  sum.set_sum(total);
  return sum;
}

absl::StatusOr<std::vector<HeldRecord>> DeviceStore::RecordsOf(const HeldCopy& copy, bool next_visits_only) const {
  std::vector<HeldRecord> records;
  RETURN_IF_ERROR(
      database_.Query("SELECT kind, record_id, payload FROM records WHERE copy_id = ? AND next_visit >= ? "
                      "ORDER BY kind, record_id",
                      {copy.id, int64_t{next_visits_only}}, [&](const Row& row) {
                        records.push_back({static_cast<v1::RecordKind>(row.Int(0)), row.Bytes(1), row.Bytes(2)});
                      }));
  return records;
}

absl::StatusOr<std::vector<HeldRecord>> DeviceStore::Records(std::string_view carer) const {
  ASSIGN_OR_RETURN(const std::optional<HeldCopy> copy, InUse(carer));
  return copy ? RecordsOf(*copy, /*next_visits_only=*/false) : std::vector<HeldRecord>();
}

absl::StatusOr<std::vector<HeldRecord>> DeviceStore::NextVisits(std::string_view carer) const {
  ASSIGN_OR_RETURN(const std::optional<HeldCopy> in_use, InUse(carer));
  ASSIGN_OR_RETURN(const std::optional<HeldCopy> making, BeingMade(carer));
  return !in_use && making ? RecordsOf(*making, /*next_visits_only=*/true) : std::vector<HeldRecord>();
}

absl::Status DeviceStore::PutEvent(std::string_view carer, std::string_view event_id, std::string_view event) const {
  // The running number outlives the events that it was given to: a number used again would hide a lost event.
  RETURN_IF_ERROR(
      database_.Run("INSERT INTO settings (name, value) VALUES ('last_sequence', '1') "
                    "ON CONFLICT (name) DO UPDATE SET value = CAST(value AS INTEGER) + 1"));
  return database_.Run(
      "INSERT INTO events (event_id, sequence, carer_id, event, outcome, review_reason, result_time) "
      "SELECT ?, CAST(value AS INTEGER), ?, ?, 0, 0, 0 FROM settings WHERE name = 'last_sequence'",
      {event_id, carer, Blob{event}});
}

absl::Status DeviceStore::AddEvent(std::string_view carer, std::string_view event_id, std::string_view event) const {
  ASSIGN_OR_RETURN(SqlTransaction transaction, SqlTransaction::Begin(database_));
  RETURN_IF_ERROR(PutEvent(carer, event_id, event));
  return transaction.Commit();
}

absl::Status DeviceStore::AddVisitEvent(std::string_view carer, std::string_view event_id, std::string_view event,
                                        std::string_view open_visit) const {
  ASSIGN_OR_RETURN(SqlTransaction transaction, SqlTransaction::Begin(database_));
  RETURN_IF_ERROR(PutEvent(carer, event_id, event));
  RETURN_IF_ERROR(
      database_.Run("INSERT INTO carers (carer_id, open_visit_id) VALUES (?1, ?2) "
                    "ON CONFLICT (carer_id) DO UPDATE SET open_visit_id = ?2",
                    {carer, open_visit}));
  return transaction.Commit();
}

absl::StatusOr<std::vector<v1::UploadedEvent>> DeviceStore::Events(std::string_view carer, Which which) const {
  std::vector<v1::UploadedEvent> events;
  const bool unsent = which != Which::kAnswered;
  const bool answered = which != Which::kUnsent;
  RETURN_IF_ERROR(
      database_.Query("SELECT sequence, event_id, event FROM events WHERE carer_id = ? "
                      "AND CASE outcome WHEN 0 THEN ? ELSE ? END ORDER BY sequence",
                      {carer, int64_t{unsent}, int64_t{answered}}, [&](const Row& row) {
                        v1::UploadedEvent& event = events.emplace_back();
                        event.set_sequence(static_cast<uint64_t>(row.Int(0)));
                        event.set_event_id(row.Bytes(1));
                        event.set_event(row.Bytes(2));
                      }));
  return events;
}

absl::StatusOr<std::vector<v1::UploadedEvent>> DeviceStore::UnsentEvents(std::string_view carer) const {
  return Events(carer, Which::kUnsent);
}

absl::StatusOr<std::vector<v1::UploadedEvent>> DeviceStore::AnsweredEvents(std::string_view carer) const {
  return Events(carer, Which::kAnswered);
}

absl::StatusOr<std::vector<v1::UploadedEvent>> DeviceStore::KeptEvents(std::string_view carer) const {
  return Events(carer, Which::kAll);
}

absl::Status DeviceStore::SetResults(const v1::UploadResult& results, absl::Time now) const {
  ASSIGN_OR_RETURN(SqlTransaction transaction, SqlTransaction::Begin(database_));
  for (const v1::EventResult& result : results.results()) {
    // An outcome that this app does not know is none: the event is sent again.
    if (!v1::EventOutcome_IsValid(result.outcome())) continue;
    RETURN_IF_ERROR(
        database_.Run("UPDATE events SET outcome = ?1, review_reason = ?2, "
                      "result_time = CASE outcome WHEN 0 THEN ?3 ELSE result_time END "
                      "WHERE event_id = ?4 AND (outcome = 0 OR ?1 != ?5)",
                      {int64_t{result.outcome()}, int64_t{result.review_reason()}, absl::ToUnixSeconds(now),
                       result.event_id(), int64_t{v1::EVENT_OUTCOME_KNOWN}}));
  }
  return transaction.Commit();
}

absl::StatusOr<std::string> DeviceStore::UploadsToken(std::string_view carer) const {
  ASSIGN_OR_RETURN(const std::string hex, Setting(UploadsTokenSetting(carer)));
  return absl::HexStringToBytes(hex);
}

absl::Status DeviceStore::SetUploadsToken(std::string_view carer, std::string_view token) const {
  // Settings are text.
  return SetSetting(UploadsTokenSetting(carer), absl::BytesToHexString(std::string(token)));
}

absl::Status DeviceStore::ForgetOldEvents(absl::Time now) const {
  return database_.Run("DELETE FROM events WHERE outcome != 0 AND result_time < ?",
                       {absl::ToUnixSeconds(now - kAnsweredEventsKept)});
}

absl::StatusOr<std::string> DeviceStore::OpenVisit(std::string_view carer) const {
  std::string visit;
  RETURN_IF_ERROR(database_.Query("SELECT open_visit_id FROM carers WHERE carer_id = ?", {carer},
                                  [&](const Row& row) { visit = row.Bytes(0); }));
  return visit;
}

absl::StatusOr<std::optional<absl::Time>> DeviceStore::ManualSyncDueSince(std::string_view carer) const {
  ASSIGN_OR_RETURN(const std::string text, Setting(ManualSyncDueSetting(carer)));
  int64_t since_us = 0;
  if (!absl::SimpleAtoi(text, &since_us)) return std::nullopt;
  return absl::FromUnixMicros(since_us);
}

absl::Status DeviceStore::SetManualSyncDueSince(std::string_view carer, std::optional<absl::Time> since) const {
  return SetSetting(ManualSyncDueSetting(carer), since.has_value() ? absl::StrCat(absl::ToUnixMicros(*since)) : "");
}

absl::StatusOr<v1::InterruptionCause> DeviceStore::BeginSync() const {
  ASSIGN_OR_RETURN(SqlTransaction transaction, SqlTransaction::Begin(database_));
  ASSIGN_OR_RETURN(const std::string syncing, Setting(kSyncing));
  // Still marked as syncing: the process of that sync never came to its end.
  if (!syncing.empty()) RETURN_IF_ERROR(AddInterruption(v1::INTERRUPTION_CAUSE_UNKNOWN));
  RETURN_IF_ERROR(SetSetting(kSyncing, "1"));
  ASSIGN_OR_RETURN(const v1::InterruptionCause cause, Interruption());
  RETURN_IF_ERROR(transaction.Commit());
  return cause;
}

absl::Status DeviceStore::InterruptionTold() const { return SetSetting(kInterruption, ""); }

absl::Status DeviceStore::EndSync(v1::InterruptionCause cause) const {
  ASSIGN_OR_RETURN(SqlTransaction transaction, SqlTransaction::Begin(database_));
  RETURN_IF_ERROR(SetSetting(kSyncing, ""));
  RETURN_IF_ERROR(cause == v1::INTERRUPTION_CAUSE_UNSPECIFIED ? InterruptionTold() : AddInterruption(cause));
  return transaction.Commit();
}

absl::Status DeviceStore::EndUnheardSync() const { return SetSetting(kSyncing, ""); }

absl::StatusOr<v1::InterruptionCause> DeviceStore::Interruption() const {
  ASSIGN_OR_RETURN(const std::string text, Setting(kInterruption));
  int cause = v1::INTERRUPTION_CAUSE_UNSPECIFIED;
  const bool known = absl::SimpleAtoi(text, &cause) && v1::InterruptionCause_IsValid(cause);
  return known ? static_cast<v1::InterruptionCause>(cause) : v1::INTERRUPTION_CAUSE_UNSPECIFIED;
}

absl::Status DeviceStore::AddInterruption(v1::InterruptionCause cause) const {
  ASSIGN_OR_RETURN(const v1::InterruptionCause untold, Interruption());
  // A sync whose start nobody heard does not make them forget the one before it.
  if (untold != v1::INTERRUPTION_CAUSE_UNSPECIFIED) return absl::OkStatus();
  return SetSetting(kInterruption, absl::StrCat(int{cause}));
}

absl::StatusOr<std::string> DeviceStore::Setting(std::string_view name) const {
  std::string value;
  RETURN_IF_ERROR(database_.Query("SELECT value FROM settings WHERE name = ?", {name},
                                  [&](const Row& row) { value = row.Bytes(0); }));
  return value;
}

absl::Status DeviceStore::SetSetting(std::string_view name, std::string_view value) const {
  return database_.Run("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", {name, value});
}

}  // namespace caresync::cli
