"""One sync: the dialogue of docs/protocol.md, from `start` to the end of the stream. It knows nothing of gRPC but how a stream ends."""

import dataclasses
import time

import caresync_messages as messages
import event_queue
from copy_store import NoSuchCopy
from sync_stream import Ended

pb = messages.device_sync
# The fields of a response in the order in which a device handles them.
FIELDS = ("started", "upload_result", "rebuild", "changes", "caught_up", "sync_recorded", "notice")
# A server that is silent for longer than this, while it is its turn, is taken for gone.
SILENCE_SECONDS = 120.0
# How often a device that follows looks whether something was recorded.
GLANCE_SECONDS = 0.25
# A device that follows starts again with a new credential so long before the old one ends.
CREDENTIAL_MARGIN_SECONDS = 20.0
# How long a server may take to end a stream that the device has half-closed.
FAREWELL_SECONDS = 15.0


@dataclasses.dataclass
class Wish:
    """What kind of sync is wanted, of whom, by which app."""
    device_uuid: str
    carer_id: str
    sync_type: int = pb.SYNC_TYPE_STANDARD
    data_level: int = 2
    follow: bool = False
    follow_seconds: float | None = None
    follow_rounds: int | None = None
    form_in_progress: bool = False
    # Seconds until the phone's system lets the app sync again. None: it does not tell.
    next_sync_in: float | None = None
    # A sync whose estimate is above it is given up. None: none is.
    largest_bytes: int | None = None
    device_name: str = "a device in Python"
    app_version: str = "0.1.0"


@dataclasses.dataclass
class SyncEnd:
    """What came of a sync."""
    # succeeded, refused (by the server, by name), waiting (after a restore), given_up (by this device), interrupted.
    outcome: str
    reason: str = ""
    message: str = ""
    # Seconds after which coming back helps; None: the server did not say.
    retry_after: float | None = None
    confirmations: int = 0
    # The office asked for a sync while this one ran.
    sync_now: bool = False


def name_of(enum, number):
    """A value's name; of one that this device does not know yet, its number."""
    return enum.Name(number) if number in enum.values() else str(number)


class GaveUp(Exception):
    """This device does not go on; the message says why."""


class Sync:
    """One sync on a stream (a SyncStream). `say(what, **details)` is told of each step, after it is durable."""

    def __init__(self, wish, state, copies, events, stream, say):
        self._wish, self._state, self._copies, self._events = wish, state, copies, events
        self._stream, self._say = stream, say
        self._uploaded = set()
        self._ack = None
        self._started = self._outstanding = self._recorded_now = False
        self._confirmations = 0
        self._sync_now = False
        self._reconnect_after = None
        self._half_closed_at = None
        self._credential_end = None
        self._server_ahead = 0.0

    def run(self, with_token=True):
        """The whole sync. Without `with_token` it is as if the device held nothing; the copy in use stays all the same."""
        told_before = self._state.interruption()
        # Should this process end without a word, the next start tells of it.
        self._state.set_interruption(pb.INTERRUPTION_CAUSE_UNKNOWN)
        cause = pb.INTERRUPTION_CAUSE_APP_LEFT
        try:
            self._begin(told_before, with_token)
            end = self._converse()
            cause = self._cause(end, told_before)
            return end
        except GaveUp as gave_up:
            return self._end("given_up", message=str(gave_up))
        except NoSuchCopy as error:
            cause = pb.INTERRUPTION_CAUSE_UNKNOWN
            return self._end("given_up", message=str(error))
        except KeyboardInterrupt:
            if not self._quiet():
                return self._end("given_up", message="stopped")
            cause = pb.INTERRUPTION_CAUSE_UNSPECIFIED
            return self._end("succeeded", message="stopped")
        finally:
            self._state.set_interruption(cause)
            self._stream.cut()

    def _begin(self, last_interruption, with_token):
        self._events.forget_old()
        carer, wish = self._wish.carer_id, self._wish
        unsent = self._events.unsent(carer)[:event_queue.MOST_UNSENT_IN_SYNC]
        start = pb.Start(device_uuid=wish.device_uuid, device_name=wish.device_name, app_version=wish.app_version,
                         data_level=wish.data_level, carer_id=carer, sync_type=wish.sync_type, follow=wish.follow,
                         unsent_events=len(unsent), open_visit_id=self._state.open_visit(carer),
                         form_in_progress=wish.form_in_progress, uploads_token=self._state.uploads_token(carer),
                         last_interruption=last_interruption)
        start.device_time.GetCurrentTime()
        if wish.next_sync_in is not None:
            start.earliest_next_sync.FromNanoseconds(time.time_ns() + round(wish.next_sync_in * 1e9))
        being_made, in_use = self._copies.being_made(carer), self._copies.in_use(carer)
        copy = being_made if being_made and being_made.resume_token else in_use
        if with_token and copy:
            start.resume_token = copy.resume_token
            if copy is in_use:
                start.holds.CopyFrom(self._holds())
        self._begun = time.monotonic()
        self._stream.send(start=start)
        self._upload(unsent)

    def _converse(self):
        """Handles what comes until the stream ends."""
        last_heard = time.monotonic()
        while True:
            try:
                response = self._stream.receive(GLANCE_SECONDS)
            except Ended as ended:
                return self._end_of_stream(ended.end)
            if response is not None:
                last_heard = time.monotonic()
                self._handle(response)
            elif self._quiet():
                self._look_around()
            elif time.monotonic() - last_heard > SILENCE_SECONDS:
                return self._end("interrupted", message="nothing came from the server")

    def _handle(self, response):
        self._ack = pb.Ack()
        # A device that has half-closed cannot ack: what still comes is for its next sync, but the results of its events.
        for field in FIELDS if self._half_closed_at is None else ("upload_result",):
            if response.HasField(field):
                getattr(self, "_on_" + field)(getattr(response, field))
        # The one-message answer needs no ack, and has all but copies that are dropped.
        if response.HasField("sync_recorded") and not self._ack.dropped_carer_ids:
            return
        if self._ack.ByteSize():
            self._stream.send(ack=self._ack)
            self._say("acked")

    def _on_started(self, started):
        self._started = self._outstanding = True
        self._state.set_policy(started.policy.SerializeToString())
        self._take_manual_sync_due(started)
        self._server_ahead = started.server_time.ToNanoseconds() / 1e9 - time.monotonic()
        self._say("started",
                  session_id=started.session_id,
                  waiting=started.waiting,
                  resend_events=started.resend_events,
                  estimated_records=started.estimated_records,
                  estimated_bytes=started.estimated_bytes)
        self._drop(started.drop_now_carer_ids)
        if started.resend_events:
            self._resend()
        if self._wish.largest_bytes is not None and started.estimated_bytes > self._wish.largest_bytes:
            raise GaveUp(f"about {started.estimated_bytes} bytes were to come")

    def _on_upload_result(self, upload_result):
        # Before the results: killed in between, the device sends these events once more, and nothing is missed.
        if upload_result.uploads_token:
            self._state.set_uploads_token(self._wish.carer_id, upload_result.uploads_token)
        self._events.settle(upload_result.results)
        for result in upload_result.results:
            self._say("result", event_id=result.event_id, outcome=name_of(pb.EventOutcome, result.outcome),
                      review_reason=name_of(pb.ReviewReason, result.review_reason))

    def _on_rebuild(self, rebuild):
        self._outstanding = True
        self._copies.begin(self._wish.carer_id, rebuild.rebuild_number)
        self._say("rebuild", rebuild_number=rebuild.rebuild_number, reason=name_of(pb.RebuildReason, rebuild.reason))

    def _on_changes(self, changes):
        self._outstanding = True
        self._say("batch_received", rebuild_number=changes.rebuild_number)
        self._copies.apply(self._wish.carer_id, changes)
        self._ack.resume_token = changes.resume_token
        self._say("batch", rebuild_number=changes.rebuild_number, next_visits=changes.next_visits,
                  upserts=[[u.kind, u.record_id] for u in changes.upserts],
                  removals=[[r.kind, r.record_id] for r in changes.removals],
                  records_done=changes.records_done, records_total=changes.records_total)

    def _on_caught_up(self, caught_up):
        self._outstanding = True
        self._copies.complete(self._wish.carer_id, caught_up)
        holds = self._holds()
        self._ack.resume_token = caught_up.resume_token
        self._ack.holds.CopyFrom(holds)
        self._say("caught_up",
                  revision=caught_up.revision,
                  count=holds.count,
                  sum=holds.sum,
                  as_told=holds == caught_up.holds)

    def _on_sync_recorded(self, recorded):
        if recorded.HasField("next_auto_sync_time"):
            policy = pb.Policy.FromString(self._state.policy() or b"")
            policy.next_auto_sync_time.CopyFrom(recorded.next_auto_sync_time)
            self._state.set_policy(policy.SerializeToString())
        self._outstanding = False
        self._confirmations += 1
        self._take_manual_sync_due(recorded)
        self._say("sync_recorded")

    def _take_manual_sync_due(self, told):
        due = told.HasField("manual_sync_due_since_time")
        self._state.set_manual_sync_due_since(
            self._wish.carer_id, told.manual_sync_due_since_time.ToJsonString() if due else None)

    def _on_notice(self, notice):
        what = notice.WhichOneof("what")
        self._say("notice", notice=what)
        if what == "sync_now":
            self._sync_now = True
        elif what == "preferences":
            self._state.set_policy(notice.preferences.SerializeToString())
        elif what == "credentials_end_time":
            self._credential_end = notice.credentials_end_time.ToNanoseconds() / 1e9
        elif what == "going_away":
            self._reconnect_after = notice.going_away.reconnect_after.ToNanoseconds() / 1e9
        elif what == "drop_now":
            self._drop(notice.drop_now.carer_ids)

    def _holds(self):
        count, total = self._copies.holds(self._copies.in_use(self._wish.carer_id))
        return pb.CopySum(count=count, sum=total)

    def _drop(self, carer_ids):
        """Drops copies and says so, also of a carer of whom nothing is held: else the server would ask for ever."""
        if carer_ids:
            self._copies.drop(carer_ids)
            self._ack.dropped_carer_ids.extend(carer_ids)
            self._say("dropped", carer_ids=list(carer_ids))

    def _upload(self, events, last_says_complete=False):
        parts = list(event_queue.in_uploads(events)) or ([[]] if last_says_complete else [])
        for number, part in enumerate(parts, start=1):
            upload = pb.Upload(resend_complete=last_says_complete and number == len(parts))
            for event in part:
                upload.events.add(sequence=event.sequence, event_id=event.event_id, event=event.event)
            self._stream.send(upload=upload)
        self._uploaded.update(event.event_id for event in events)

    def _resend(self):
        """What is asked for after a restore: everything that is kept, but what went up in this very sync."""
        kept = self._events.sent(self._wish.carer_id) + self._events.unsent(self._wish.carer_id)
        self._upload([event for event in kept if event.event_id not in self._uploaded], last_says_complete=True)

    def _quiet(self):
        """Between two rounds of following, or on the way out."""
        return self._half_closed_at is not None or (self._wish.follow and self._confirmations > 0
                                                    and not self._outstanding)

    def _look_around(self):
        """In a quiet moment: has something been recorded, is it enough?"""
        now = time.monotonic()
        if self._half_closed_at is not None:
            if now - self._half_closed_at > FAREWELL_SECONDS:
                self._stream.cut()
                raise GaveUp("the server does not end the stream")
            return
        if self._enough(now) or self.credential_ends():
            self._half_closed_at = now
            self._stream.half_close()
            return
        self._upload([e for e in self._events.unsent(self._wish.carer_id) if e.event_id not in self._uploaded])

    def _enough(self, now):
        wish = self._wish
        # The first confirmation is the sync's own; the rounds come after it.
        return ((wish.follow_rounds is not None and self._confirmations > wish.follow_rounds)
                or (wish.follow_seconds is not None and self.age() >= wish.follow_seconds))

    def age(self):
        """Seconds since it began."""
        return time.monotonic() - self._begun

    def credential_ends(self):
        """Whether it is time for a new credential. By the server's clock: the device's may be wrong."""
        return (self._credential_end is not None
                and self._credential_end - (time.monotonic() + self._server_ahead) < CREDENTIAL_MARGIN_SECONDS)

    def _end_of_stream(self, end):
        retry_after = end.retry_after if end.retry_after is not None else self._reconnect_after
        told = {"reason": end.reason, "message": end.message, "retry_after": retry_after}
        if self._confirmations and not self._outstanding:
            return self._end("succeeded", **told)
        if end.reason == "WAITING_AFTER_RESTORE":
            return self._end("waiting", **told)
        if end.reason:
            return self._end("refused", **told)
        return self._end("interrupted", **{**told, "reason": end.code})

    def _end(self, outcome, **told):
        return SyncEnd(outcome, confirmations=self._confirmations, sync_now=self._sync_now, **told)

    def _cause(self, end, told_before):
        """What the next start is to say of this sync."""
        if end.outcome != "interrupted":
            return pb.INTERRUPTION_CAUSE_UNSPECIFIED  # The server knows how it ended.
        if not self._started and told_before:
            return told_before  # This start told nobody.
        return pb.INTERRUPTION_CAUSE_NO_NETWORK
