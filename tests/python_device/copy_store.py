"""The copies of the carers' records: for each carer one in use and, during a rebuild, one being made beside it."""

import collections

import fingerprints

Copy = collections.namedtuple("Copy", "copy_id rebuild_number resume_token")
Record = collections.namedtuple("Record", "kind record_id payload revision next_visit")


class NoSuchCopy(Exception):
    """The server wrote to a copy that this device does not have: the stream is to be cut, and nothing changed."""


class CopyStore:
    """Copies in a device's database. Each method that changes something is one transaction."""

    def __init__(self, state):
        self._state = state
        self._database = state.database

    def in_use(self, carer_id):
        """The copy that the app shows, or None."""
        return self._copy(carer_id, in_use=1)

    def being_made(self, carer_id):
        """The copy of an unfinished rebuild, or None."""
        return self._copy(carer_id, in_use=0)

    def begin(self, carer_id, rebuild_number):
        """Begins an empty copy beside the one in use; one that is unfinished goes."""
        with self._state.transaction() as database:
            database.execute("DELETE FROM copy WHERE carer_id = ? AND in_use = 0", (carer_id,))
            database.execute("INSERT INTO copy (carer_id, in_use, rebuild_number, resume_token) VALUES (?, 0, ?, x'')",
                             (carer_id, rebuild_number))

    def apply(self, carer_id, changes):
        """A batch (the message Changes) and its token, as one."""
        with self._state.transaction() as database:
            copy = self._target(carer_id, changes.rebuild_number)
            for upsert in changes.upserts:
                database.execute(
                    "INSERT INTO record VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE "
                    "SET payload = excluded.payload, revision = excluded.revision",
                    (copy.copy_id, upsert.kind, upsert.record_id, upsert.payload, upsert.revision,
                     int(changes.next_visits)))
            for removal in changes.removals:
                database.execute("DELETE FROM record WHERE copy_id = ? AND kind = ? AND record_id = ?",
                                 (copy.copy_id, removal.kind, removal.record_id))
            self._set_token(copy, changes.resume_token)

    def complete(self, carer_id, caught_up):
        """Stores the token of `caught_up`; a copy being made that it names replaces the one in use in the same step."""
        with self._state.transaction() as database:
            copy = self._target(carer_id, caught_up.rebuild_number)
            self._set_token(copy, caught_up.resume_token)
            if caught_up.rebuild_number != 0:
                database.execute("DELETE FROM copy WHERE carer_id = ? AND in_use = 1", (carer_id,))
                database.execute("UPDATE copy SET in_use = 1 WHERE copy_id = ?", (copy.copy_id,))
                database.execute("UPDATE record SET next_visit = 0 WHERE copy_id = ? AND next_visit = 1",
                                 (copy.copy_id,))

    def drop(self, carer_ids):
        """The copies of these carers with their tokens, in use or not. What the carers recorded stays."""
        with self._state.transaction() as database:
            database.executemany("DELETE FROM copy WHERE carer_id = ?", [(carer_id,) for carer_id in carer_ids])

    def records(self, copy):
        """The copy's records, by kind and ID."""
        for row in self._database.execute("SELECT kind, record_id, payload, revision, next_visit FROM record "
                                          "WHERE copy_id = ? ORDER BY kind, record_id", (copy.copy_id,)):
            yield Record(*row)

    def holds(self, copy):
        """The copy's count and sum, worked out anew over the bytes that are stored."""
        return fingerprints.count_and_sum((r.kind, r.record_id, r.payload) for r in self.records(copy))

    def shown(self, carer_id):
        """What the app shows: (the records, whether they are a complete copy). Before the first copy is complete, the next visits."""
        copy = self.in_use(carer_id)
        if copy is not None:
            return list(self.records(copy)), True
        copy = self.being_made(carer_id)
        return [r for r in self.records(copy) if r.next_visit] if copy else [], False

    def _copy(self, carer_id, in_use):
        row = self._database.execute("SELECT copy_id, rebuild_number, resume_token FROM copy "
                                     "WHERE carer_id = ? AND in_use = ?", (carer_id, in_use)).fetchone()
        return Copy(*row) if row else None

    def _target(self, carer_id, rebuild_number):
        """The copy that a message means."""
        copy = self.being_made(carer_id) if rebuild_number else self.in_use(carer_id)
        if copy is None or (rebuild_number and copy.rebuild_number != rebuild_number):
            raise NoSuchCopy(f"there is no copy {rebuild_number} of the carer {carer_id}")
        return copy

    def _set_token(self, copy, token):
        self._database.execute("UPDATE copy SET resume_token = ? WHERE copy_id = ?", (token, copy.copy_id))
