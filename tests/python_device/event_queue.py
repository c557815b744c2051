"""What the carers recorded: kept as bytes, uploaded until there is a result, and for 14 days after that."""

import collections
import time
import uuid

# A server that was put back to a backup asks for the events of this time again.
KEPT_AFTER_RESULT = 14 * 24 * 3600.0
# Bounds of the protocol.
MOST_EVENTS_IN_UPLOAD = 100
MOST_BYTES_IN_UPLOAD = 1024 * 1024
MOST_BYTES_OF_EVENT = 256 * 1024
MOST_UNSENT_IN_SYNC = 100_000
# What an event takes in an upload beside its own bytes: its ID, its number, tags and lengths; more than any takes.
FRAME_BYTES = 128

Event = collections.namedtuple("Event", "event_id sequence event")


class EventTooLarge(Exception):
    """The event can never be uploaded."""


class EventQueue:
    """Events in a device's database. `now` gives seconds since 1970."""

    def __init__(self, state, now=time.time):
        self._state = state
        self._database = state.database
        self._now = now

    def record(self, carer_id, event, opens="", closes=False):
        """Keeps a serialized CareEvent under a new ID; with `opens` the carer is logged into that visit, with `closes` into none."""
        if len(event) > MOST_BYTES_OF_EVENT:
            raise EventTooLarge(f"an event has at most {MOST_BYTES_OF_EVENT} bytes, this one {len(event)}")
        event_id = str(uuid.uuid4())
        with self._state.transaction() as database:
            database.execute("UPDATE device SET last_sequence = last_sequence + 1")
            (sequence,) = database.execute("SELECT last_sequence FROM device").fetchone()
            database.execute("INSERT INTO event (event_id, carer_id, sequence, event) VALUES (?, ?, ?, ?)",
                             (event_id, carer_id, sequence, event))
            if opens or closes:
                database.execute("INSERT INTO carer (carer_id, open_visit_id) VALUES (?, ?) "
                                 "ON CONFLICT DO UPDATE SET open_visit_id = excluded.open_visit_id", (carer_id, opens))
        return Event(event_id, sequence, event)

    def unsent(self, carer_id):
        """Those without a result, as they were recorded."""
        return self._events("carer_id = ? AND result_time IS NULL", carer_id)

    def sent(self, carer_id):
        """Those with a result that are still kept: what `resend_events` asks for beside the unsent ones."""
        return self._events("carer_id = ? AND result_time IS NOT NULL", carer_id)

    def settle(self, results):
        """Takes events off the queue: those that the results (EventResult) name. A later result of the same event changes nothing."""
        with self._state.transaction() as database:
            database.executemany(
                "UPDATE event SET result_time = ?, outcome = ?, review_reason = ? WHERE event_id = ? AND result_time IS NULL",
                [(self._now(), result.outcome, result.review_reason, result.event_id) for result in results])

    def forget_old(self):
        """Lets go of what had its result more than 14 days ago."""
        with self._state.transaction() as database:
            database.execute("DELETE FROM event WHERE result_time < ?", (self._now() - KEPT_AFTER_RESULT,))

    def outcomes(self, carer_id):
        """By event ID: (outcome, review_reason) of those that had their result."""
        rows = self._database.execute("SELECT event_id, outcome, review_reason FROM event "
                                      "WHERE carer_id = ? AND result_time IS NOT NULL", (carer_id,))
        return {event_id: (outcome, reason) for event_id, outcome, reason in rows}

    def _events(self, condition, carer_id):
        rows = self._database.execute(
            f"SELECT event_id, sequence, event FROM event WHERE {condition} ORDER BY sequence", (carer_id,))
        return [Event(*row) for row in rows]


def in_uploads(events):
    """The events in lists that each fit into one upload."""
    part, size = [], 0
    for event in events:
        more = len(event.event) + FRAME_BYTES
        if part and (len(part) == MOST_EVENTS_IN_UPLOAD or size + more > MOST_BYTES_IN_UPLOAD):
            yield part
            part, size = [], 0
        part.append(event)
        size += more
    if part:
        yield part
