"""What a device keeps, in one SQLite database: so that what belongs together becomes durable together."""

import contextlib
import fcntl
import os
import sqlite3

SCHEMA = """
CREATE TABLE IF NOT EXISTS device (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  uuid TEXT NOT NULL,
  last_sequence INTEGER NOT NULL DEFAULT 0,
  policy BLOB,                         -- as last told: a serialized Policy
  -- How the device's last sync was interrupted, whichever carer's it was; to be told at the next start. 0: it was not.
  interruption INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS carer (
  carer_id TEXT PRIMARY KEY,
  open_visit_id TEXT NOT NULL DEFAULT '',
  uploads_token BLOB NOT NULL DEFAULT x'', -- the last that came with results
  manual_sync_due_since TEXT           -- as the server said; absent: none is due
);
CREATE TABLE IF NOT EXISTS copy (
  copy_id INTEGER PRIMARY KEY,
  carer_id TEXT NOT NULL,
  in_use INTEGER NOT NULL,             -- 1: what the app shows; 0: being made
  rebuild_number INTEGER NOT NULL,     -- of the copy being made
  resume_token BLOB NOT NULL,          -- empty: nothing applied yet
  UNIQUE (carer_id, in_use)
);
CREATE TABLE IF NOT EXISTS record (
  copy_id INTEGER NOT NULL REFERENCES copy ON DELETE CASCADE,
  kind INTEGER NOT NULL,
  record_id TEXT NOT NULL,
  payload BLOB NOT NULL,               -- as received
  revision INTEGER NOT NULL,
  next_visit INTEGER NOT NULL,         -- 1: may be shown before the copy is complete
  PRIMARY KEY (copy_id, kind, record_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS event (
  event_id TEXT PRIMARY KEY,
  carer_id TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  event BLOB NOT NULL,                 -- a serialized CareEvent: these bytes are sent, again and again
  result_time REAL,                    -- absent: not uploaded yet
  outcome INTEGER NOT NULL DEFAULT 0,
  review_reason INTEGER NOT NULL DEFAULT 0
);
"""


class StateOfAnotherDevice(Exception):
    """The folder is another device's."""


class DeviceState:
    """The database of one device, in a folder of its own. To be used by one thread."""

    def __init__(self, folder, device_uuid):
        os.makedirs(folder, exist_ok=True)
        self._lock_path = os.path.join(folder, "syncing")
        # Without automatic transactions: each is written out below.
        self.database = sqlite3.connect(os.path.join(folder, "device.sqlite3"), isolation_level=None, timeout=30)
        self.database.execute("PRAGMA journal_mode = WAL")
        # A batch is acknowledged after its commit, so the commit must have reached the disk.
        self.database.execute("PRAGMA synchronous = FULL")
        self.database.execute("PRAGMA foreign_keys = ON")
        self.database.executescript(SCHEMA)
        self.database.execute("INSERT OR IGNORE INTO device (only_row, uuid) VALUES (1, ?)", (device_uuid,))
        (uuid,) = self.database.execute("SELECT uuid FROM device").fetchone()
        if uuid != device_uuid:
            raise StateOfAnotherDevice(f"{folder} belongs to the device {uuid}")

    def close(self):
        self.database.close()

    @contextlib.contextmanager
    def transaction(self):
        """All of it becomes durable at the end, or nothing."""
        self.database.execute("BEGIN IMMEDIATE")
        try:
            yield self.database
        except BaseException:
            self.database.execute("ROLLBACK")
            raise
        self.database.execute("COMMIT")

    @contextlib.contextmanager
    def one_sync_at_a_time(self):
        """A second stream of a device would take over from the first: the second sync waits here instead."""
        with open(self._lock_path, "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def carers(self):
        """Everybody of whom something is kept."""
        rows = self.database.execute(
            "SELECT carer_id FROM carer UNION SELECT carer_id FROM copy UNION SELECT carer_id FROM event")
        return sorted(carer_id for (carer_id,) in rows)

    def set_policy(self, policy_bytes):
        with self.transaction() as database:
            database.execute("UPDATE device SET policy = ?", (policy_bytes,))

    def policy(self):
        """A serialized Policy, or None where none was told yet."""
        return self.database.execute("SELECT policy FROM device").fetchone()[0]

    def interruption(self):
        return self.database.execute("SELECT interruption FROM device").fetchone()[0]

    def set_interruption(self, cause):
        with self.transaction() as database:
            database.execute("UPDATE device SET interruption = ?", (cause,))

    def uploads_token(self, carer_id):
        """The last that came with results of the carer's events; empty: none did."""
        row = self.database.execute("SELECT uploads_token FROM carer WHERE carer_id = ?", (carer_id,)).fetchone()
        return row[0] if row else b""

    def set_uploads_token(self, carer_id, token):
        with self.transaction() as database:
            database.execute("INSERT INTO carer (carer_id, uploads_token) VALUES (?, ?) "
                             "ON CONFLICT DO UPDATE SET uploads_token = excluded.uploads_token", (carer_id, token))

    def manual_sync_due_since(self, carer_id):
        """When the first visit ended that no sync which the carer started has followed, or None."""
        row = self.database.execute("SELECT manual_sync_due_since FROM carer WHERE carer_id = ?", (carer_id,)).fetchone()
        return row[0] if row else None

    def set_manual_sync_due_since(self, carer_id, time):
        with self.transaction() as database:
            database.execute("INSERT INTO carer (carer_id, manual_sync_due_since) VALUES (?, ?) "
                             "ON CONFLICT DO UPDATE SET manual_sync_due_since = excluded.manual_sync_due_since",
                             (carer_id, time))

    def open_visit(self, carer_id):
        """The visit that the carer is logged into; empty: none."""
        row = self.database.execute("SELECT open_visit_id FROM carer WHERE carer_id = ?", (carer_id,)).fetchone()
        return row[0] if row else ""
