"""The pieces of the device in Python, without a server."""

import tempfile
import time
import unittest

import grpc

import caresync_messages as messages
import fingerprints
from copy_store import CopyStore, NoSuchCopy
from device_state import DeviceState, StateOfAnotherDevice
from event_queue import EventQueue, EventTooLarge, MOST_BYTES_IN_UPLOAD, MOST_BYTES_OF_EVENT, in_uploads
from sync_client import Sync, Wish
from sync_stream import Ended, StreamEnd, end_of

pb = messages.device_sync
DEVICE = "5e000000-0000-4000-8000-000000000001"
CARER = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
OTHER = "1b4e28ba-2fa1-41d2-883f-0016d3cca427"
VISIT = "6fa459ea-ee8a-4ca4-894e-db77e160355e"
DAY = 24 * 3600.0
OK = StreamEnd("OK", "", "", None)
CUT = StreamEnd("UNAVAILABLE", "", "connection lost", None)


class WithState(unittest.TestCase):
    """A new device each time; the clock is the test's."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.now = 1_800_000_000.0
        self.open()

    def open(self):
        self.state = DeviceState(self.folder, DEVICE)
        self.addCleanup(self.state.close)
        self.copies = CopyStore(self.state)
        self.events = EventQueue(self.state, now=lambda: self.now)

    def hold(self, carer, *record_ids, token=b"held"):
        """As after a first copy with these visits."""
        self.copies.begin(carer, 1)
        self.copies.apply(carer, changes(*record_ids, token=token, number=1))
        self.copies.complete(carer, pb.CaughtUp(resume_token=token, rebuild_number=1))

    def shown_ids(self, carer=CARER):
        return [record.record_id for record in self.copies.shown(carer)[0]]


def changes(*record_ids, token, number=0, payload=b"visit", **more):
    upserts = [pb.Upsert(kind=5, record_id=record_id, payload=payload, revision=7) for record_id in record_ids]
    return pb.Changes(upserts=upserts, resume_token=token, rebuild_number=number, **more)


class CountAndSum(unittest.TestCase):
    # As in docs/protocol.md; worked out with sha256sum and a pocket calculator.
    RECORDS = [(3, CARER, bytes.fromhex("0a03416461"), 0xDF0007A7EE699E0A),
               (4, "0f8fad5b-d9cb-469f-a165-70867728950e", bytes.fromhex("0a045a6fc3ab"), 0xD22EB3421DD4E6C6),
               (5, VISIT, b"\x0a\x24" + b"0f8fad5b-d9cb-469f-a165-70867728950e", 0x92018E597C2372F6)]

    def test_each_record_has_the_fingerprint_of_the_worked_example(self):
        for kind, record_id, payload, expected in self.RECORDS:
            self.assertEqual(fingerprints.fingerprint(kind, record_id, payload), expected)

    def test_the_sum_wraps_and_knows_no_order(self):
        records = [record[:3] for record in self.RECORDS]
        self.assertEqual(fingerprints.count_and_sum(records), (3, 0x433049438861F7C6))
        self.assertEqual(fingerprints.count_and_sum(reversed(records)), (3, 0x433049438861F7C6))

    def test_nothing_is_zero(self):
        self.assertEqual(fingerprints.count_and_sum([]), (0, 0))


class Copies(WithState):
    def test_a_batch_that_fails_in_the_middle_changes_neither_records_nor_token(self):
        self.hold(CARER, "a")
        batch = changes("b", token=b"later")
        batch.upserts.add(kind=5, record_id="c", payload=b"", revision=2**64 - 1)  # More than SQLite can hold.
        with self.assertRaises(OverflowError):
            self.copies.apply(CARER, batch)
        self.assertEqual((self.shown_ids(), self.copies.in_use(CARER).resume_token), (["a"], b"held"))

    def test_a_rebuild_leaves_the_copy_in_use_until_it_is_complete(self):
        self.hold(CARER, "a")
        self.copies.begin(CARER, 2)
        self.copies.apply(CARER, changes("b", token=b"new", number=2))
        self.assertEqual((self.shown_ids(), self.copies.in_use(CARER).resume_token), (["a"], b"held"))
        self.assertEqual(self.copies.being_made(CARER).resume_token, b"new")
        self.copies.complete(CARER, pb.CaughtUp(resume_token=b"end", rebuild_number=2))
        self.assertEqual((self.shown_ids(), self.copies.in_use(CARER).resume_token), (["b"], b"end"))
        self.assertIsNone(self.copies.being_made(CARER))

    def test_a_new_rebuild_drops_an_unfinished_one(self):
        self.hold(CARER, "a")
        self.copies.begin(CARER, 2)
        self.copies.apply(CARER, changes("b", token=b"two", number=2))
        self.copies.begin(CARER, 3)
        self.copies.apply(CARER, changes("c", token=b"three", number=3))
        self.copies.complete(CARER, pb.CaughtUp(resume_token=b"end", rebuild_number=3))
        self.assertEqual(self.shown_ids(), ["c"])

    def test_what_belongs_to_a_copy_that_is_not_there_is_not_applied(self):
        for number in (0, 1):
            with self.assertRaises(NoSuchCopy):
                self.copies.apply(CARER, changes("a", token=b"t", number=number))
        self.copies.begin(CARER, 2)
        with self.assertRaises(NoSuchCopy):
            self.copies.complete(CARER, pb.CaughtUp(resume_token=b"t", rebuild_number=1))
        self.assertIsNone(self.copies.in_use(CARER))

    def test_removing_what_is_not_held_is_no_error(self):
        self.hold(CARER, "a", "b")
        batch = changes(token=b"later")
        for record_id in ("b", "never"):
            batch.removals.add(kind=5, record_id=record_id)
        self.copies.apply(CARER, batch)
        self.assertEqual(self.shown_ids(), ["a"])

    def test_next_visits_are_shown_only_where_there_is_no_copy_in_use_and_only_they(self):
        self.copies.begin(CARER, 1)
        self.copies.apply(CARER, changes("soon", token=b"1", number=1, next_visits=True))
        self.copies.apply(CARER, changes("later", "soon", token=b"2", number=1))
        self.assertEqual((self.shown_ids(), self.copies.shown(CARER)[1]), (["soon"], False))
        self.copies.complete(CARER, pb.CaughtUp(resume_token=b"3", rebuild_number=1))
        self.assertEqual((self.shown_ids(), self.copies.shown(CARER)[1]), (["later", "soon"], True))

    def test_a_payload_is_kept_as_received_with_fields_that_this_device_does_not_know(self):
        payload = messages.records.Carer(name="Ada").SerializeToString() + b"\xfa\x3e\x03new"
        self.hold(CARER, "a")
        self.copies.apply(CARER, changes("a", token=b"2", payload=payload))
        self.assertEqual(self.copies.holds(self.copies.in_use(CARER)), fingerprints.count_and_sum([(5, "a", payload)]))

    def test_a_drop_takes_one_carers_copies_and_leaves_events_and_the_others(self):
        self.hold(CARER, "a")
        self.hold(OTHER, "b")
        self.copies.begin(CARER, 2)
        self.events.record(CARER, b"event")
        self.copies.drop([CARER])
        self.assertEqual((self.copies.in_use(CARER), self.copies.being_made(CARER)), (None, None))
        self.assertEqual(self.shown_ids(OTHER), ["b"])
        self.assertEqual(len(self.events.unsent(CARER)), 1)

    def test_a_folder_is_one_devices(self):
        with self.assertRaises(StateOfAnotherDevice):
            DeviceState(self.folder, OTHER)


class Events(WithState):
    def result(self, event, outcome=pb.EVENT_OUTCOME_ACCEPTED):
        self.events.settle([pb.EventResult(event_id=event.event_id, outcome=outcome)])

    def test_numbers_run_over_all_carers_and_survive_the_app(self):
        numbers = [self.events.record(carer, b"event").sequence for carer in (CARER, OTHER, CARER)]
        self.open()
        self.assertEqual(numbers + [self.events.record(OTHER, b"event").sequence], [1, 2, 3, 4])
        self.assertEqual([event.sequence for event in self.events.unsent(CARER)], [1, 3])

    def test_only_a_result_that_names_it_takes_an_event_off_the_queue(self):
        first, second = (self.events.record(CARER, b"event") for _ in range(2))
        self.events.settle([pb.EventResult(event_id="another", outcome=pb.EVENT_OUTCOME_ACCEPTED)])
        self.result(second, pb.EVENT_OUTCOME_FOR_REVIEW)
        self.assertEqual(self.events.unsent(CARER), [first])
        self.assertEqual(self.events.sent(CARER), [second])

    def test_an_event_is_kept_for_14_days_after_its_first_result(self):
        event = self.events.record(CARER, b"event")
        self.now += 30 * DAY
        self.result(event)
        self.now += 13 * DAY
        self.result(event, pb.EVENT_OUTCOME_KNOWN)
        self.events.forget_old()
        self.assertEqual(self.events.sent(CARER), [event])
        self.now += 1.1 * DAY
        self.events.forget_old()
        self.assertEqual(self.events.sent(CARER), [])

    def test_what_has_no_result_is_never_forgotten(self):
        self.events.record(CARER, b"event")
        self.now += 365 * DAY
        self.events.forget_old()
        self.assertEqual(len(self.events.unsent(CARER)), 1)

    def test_uploads_keep_to_their_bounds_and_order(self):
        events = [self.events.record(CARER, b"x" * size) for size in [10] * 250 + [MOST_BYTES_OF_EVENT] * 9]
        parts = list(in_uploads(events))
        self.assertEqual([event for part in parts for event in part], events)
        for part in parts:
            upload = pb.Upload(events=[pb.UploadedEvent(**event._asdict()) for event in part])
            self.assertLessEqual(len(part), 100)
            self.assertLessEqual(upload.ByteSize(), MOST_BYTES_IN_UPLOAD)

    def test_an_event_that_could_never_be_uploaded_is_not_recorded(self):
        with self.assertRaises(EventTooLarge):
            self.events.record(CARER, b"x" * (MOST_BYTES_OF_EVENT + 1))

    def test_the_open_visit_is_the_one_begun_and_not_finished(self):
        self.events.record(CARER, b"start", opens=VISIT)
        self.events.record(CARER, b"note")
        self.assertEqual((self.state.open_visit(CARER), self.state.open_visit(OTHER)), (VISIT, ""))
        self.events.record(CARER, b"finish", closes=True)
        self.assertEqual(self.state.open_visit(CARER), "")


class ScriptedStream:
    """Says what it is given, one message after the other, and keeps what it is sent."""

    def __init__(self, *responses, end=OK):
        self.responses, self.end, self.sent, self.half_closed = list(responses), end, [], False

    def send(self, **field):
        self.sent.append(pb.SyncRequest(**field))

    def half_close(self):
        self.half_closed = True

    def cut(self):
        pass

    def receive(self, timeout):
        del timeout
        if self.responses:
            return self.responses.pop(0)
        raise Ended(self.end)

    def acks(self):
        return [request.ack for request in self.sent if request.HasField("ack")]

    def uploads(self):
        return [request.upload for request in self.sent if request.HasField("upload")]


class Dialogue(WithState):
    def sync(self, *responses, end=OK, with_token=True, **wish):
        self.stream = ScriptedStream(*responses, end=end)
        sync = Sync(Wish(DEVICE, CARER, **wish), self.state, self.copies, self.events, self.stream,
                    lambda what, **details: None)
        self.end = sync.run(with_token)
        self.start = self.stream.sent[0].start
        return self.end

    def caught_up(self, token, count=0, total=0, number=0):
        return pb.SyncResponse(
            caught_up=pb.CaughtUp(resume_token=token, rebuild_number=number, holds=pb.CopySum(count=count, sum=total)))

    def test_a_new_phone_starts_with_nothing_acks_each_batch_and_its_own_sum_at_the_end(self):
        end = self.sync(
            pb.SyncResponse(started=pb.Started(session_id="s")),
            pb.SyncResponse(rebuild=pb.Rebuild(rebuild_number=4), changes=changes("a", token=b"1", number=4)),
            pb.SyncResponse(changes=changes("b", token=b"2", number=4)), self.caught_up(b"3", number=4),
            pb.SyncResponse(sync_recorded=pb.SyncRecorded()))
        self.assertEqual((self.start.resume_token, self.start.HasField("holds")), (b"", False))
        self.assertEqual([ack.resume_token for ack in self.stream.acks()], [b"1", b"2", b"3"])
        count, total = fingerprints.count_and_sum([(5, "a", b"visit"), (5, "b", b"visit")])
        self.assertEqual(self.stream.acks()[-1].holds, pb.CopySum(count=count, sum=total))
        self.assertEqual((end.outcome, self.shown_ids()), ("succeeded", ["a", "b"]))

    def test_the_one_message_answer_is_not_acked(self):
        self.hold(CARER, "a")
        everything = self.caught_up(b"fresh")
        everything.started.session_id = "s"
        everything.sync_recorded.SetInParent()
        end = self.sync(everything)
        count, total = fingerprints.count_and_sum([(5, "a", b"visit")])
        self.assertEqual(self.start.holds, pb.CopySum(count=count, sum=total))
        self.assertEqual((end.outcome, len(self.stream.sent), self.copies.in_use(CARER).resume_token),
                         ("succeeded", 1, b"fresh"))

    def test_an_unfinished_rebuild_goes_on_by_its_own_token_without_a_sum(self):
        self.hold(CARER, "a")
        self.copies.begin(CARER, 2)
        self.sync(end=CUT)
        self.assertEqual(self.start.resume_token, b"held")  # Nothing of the new copy has come yet.
        self.copies.apply(CARER, changes("b", token=b"new", number=2))
        self.sync(end=CUT)
        self.assertEqual((self.start.resume_token, self.start.HasField("holds")), (b"new", False))

    def test_after_a_refused_token_the_copy_in_use_stays(self):
        self.hold(CARER, "a")
        self.sync(pb.SyncResponse(started=pb.Started(), rebuild=pb.Rebuild(rebuild_number=2)),
                  with_token=False,
                  end=CUT)
        self.assertEqual((self.start.resume_token, self.shown_ids()), (b"", ["a"]))

    def test_events_go_up_at_once_with_their_number_in_start(self):
        kept = [self.events.record(CARER, b"event %d" % number) for number in range(150)]
        self.events.record(OTHER, b"not yours")
        self.sync(end=CUT)
        self.assertEqual(self.start.unsent_events, 150)
        self.assertEqual([len(upload.events) for upload in self.stream.uploads()], [100, 50])
        before = [event for upload in self.stream.uploads() for event in upload.events]
        self.assertEqual([(e.event_id, e.sequence, e.event) for e in before], kept)
        self.sync(end=CUT)
        self.assertEqual([event for upload in self.stream.uploads() for event in upload.events], before)

    def test_drops_are_done_and_acked_without_a_token_and_also_where_nothing_is_held(self):
        self.hold(CARER, "a")
        self.sync(pb.SyncResponse(started=pb.Started(drop_now_carer_ids=[CARER, OTHER])),
                  end=StreamEnd("PERMISSION_DENIED", "CARER_NOT_A_USER", "", None))
        self.assertEqual([(ack.resume_token, list(ack.dropped_carer_ids)) for ack in self.stream.acks()],
                         [(b"", [CARER, OTHER])])
        self.assertIsNone(self.copies.in_use(CARER))
        self.assertEqual((self.end.outcome, self.end.reason), ("refused", "CARER_NOT_A_USER"))

    def test_a_waiting_device_keeps_its_copy_and_sends_what_it_sent_before(self):
        self.hold(CARER, "a")
        old, new = self.events.record(CARER, b"old"), None
        self.events.settle([pb.EventResult(event_id=old.event_id, outcome=pb.EVENT_OUTCOME_ACCEPTED)])
        new = self.events.record(CARER, b"new")
        end = self.sync(pb.SyncResponse(started=pb.Started(waiting=True, resend_events=True)),
                        end=StreamEnd("UNAVAILABLE", "WAITING_AFTER_RESTORE", "", 60.0))
        sent = [([event.event for event in upload.events], upload.resend_complete) for upload in self.stream.uploads()]
        self.assertEqual(sent, [([new.event], False), ([old.event], True)])
        self.assertEqual((end.outcome, end.retry_after, self.shown_ids()), ("waiting", 60.0, ["a"]))

    def test_a_refused_device_sends_again_what_it_is_asked_for_and_drops_its_copy(self):
        self.hold(CARER, "a")
        old = self.events.record(CARER, b"old")
        self.events.settle([pb.EventResult(event_id=old.event_id, outcome=pb.EVENT_OUTCOME_ACCEPTED)])
        end = self.sync(pb.SyncResponse(started=pb.Started(resend_events=True, drop_now_carer_ids=[CARER])),
                        end=StreamEnd("PERMISSION_DENIED", "CARER_LEFT", "", None))
        sent = [([event.event for event in upload.events], upload.resend_complete) for upload in self.stream.uploads()]
        self.assertEqual(sent, [([old.event], True)])
        self.assertEqual([list(ack.dropped_carer_ids) for ack in self.stream.acks()], [[CARER]])
        self.assertEqual((end.outcome, end.reason), ("refused", "CARER_LEFT"))

    def test_a_device_without_events_says_so(self):
        self.sync(pb.SyncResponse(started=pb.Started(resend_events=True)), end=CUT)
        self.assertEqual([(len(upload.events), upload.resend_complete) for upload in self.stream.uploads()],
                         [(0, True)])

    def test_what_is_sent_again_goes_before_the_ack_of_what_came_with_the_request(self):
        self.hold(CARER, "a")
        both = self.caught_up(b"fresh")
        both.started.resend_events = True
        self.sync(both, end=CUT)
        self.assertEqual([request.WhichOneof("message") for request in self.stream.sent], ["start", "upload", "ack"])

    def test_a_batch_of_an_unknown_copy_ends_the_sync_and_changes_nothing(self):
        self.hold(CARER, "a")
        end = self.sync(pb.SyncResponse(started=pb.Started()),
                        pb.SyncResponse(changes=changes("b", token=b"2", number=9)))
        self.assertEqual((end.outcome, self.shown_ids(), self.stream.acks()), ("given_up", ["a"], []))

    def test_a_sync_that_is_too_large_is_given_up_before_its_first_record(self):
        self.hold(CARER, "a")
        started = pb.SyncResponse(started=pb.Started(estimated_bytes=5000))
        self.assertEqual(self.sync(started, largest_bytes=4999).outcome, "given_up")
        self.assertEqual(self.sync(started, largest_bytes=5000).outcome, "interrupted")

    def test_a_start_says_when_the_phones_system_allows_the_next_sync_where_that_is_known(self):
        before = time.time_ns()
        self.sync(end=CUT, next_sync_in=1800.0)
        allowed = self.start.earliest_next_sync.ToNanoseconds() - round(1800 * 1e9)
        self.assertTrue(before <= allowed <= time.time_ns())
        self.sync(end=CUT)
        self.assertFalse(self.start.HasField("earliest_next_sync"))

    def test_the_next_start_tells_of_an_interruption_once(self):
        recorded = self.caught_up(b"fresh")
        recorded.sync_recorded.SetInParent()
        self.hold(CARER, "a")
        causes = []
        for responses, end in (([], CUT), ([], CUT), ([recorded], OK), ([], OK)):
            self.sync(*responses, end=end)
            causes.append(self.start.last_interruption)
        none, no_network = pb.INTERRUPTION_CAUSE_UNSPECIFIED, pb.INTERRUPTION_CAUSE_NO_NETWORK
        self.assertEqual(causes, [none, no_network, no_network, none])

    def test_a_device_that_follows_acks_each_round_and_half_closes_when_it_has_had_enough(self):
        self.hold(CARER, "a")
        recorded = pb.SyncResponse(sync_recorded=pb.SyncRecorded())
        end = self.sync(pb.SyncResponse(started=pb.Started()), self.caught_up(b"1"), recorded,
                        pb.SyncResponse(changes=changes("b", token=b"2")), self.caught_up(b"3"), recorded, None,
                        follow=True, follow_rounds=1)
        self.assertTrue(self.start.follow)
        self.assertEqual([ack.resume_token for ack in self.stream.acks()], [b"1", b"2", b"3"])
        self.assertEqual((end.outcome, end.confirmations, self.stream.half_closed), ("succeeded", 2, True))

    def test_a_device_that_follows_uploads_what_is_recorded_meanwhile_once(self):
        self.hold(CARER, "a")
        nothing_new = self.caught_up(b"1")
        nothing_new.sync_recorded.SetInParent()
        stream_open = [nothing_new, None, None]
        self.events.record(CARER, b"before")
        self.sync(*stream_open, end=CUT, follow=True)
        self.assertEqual([len(upload.events) for upload in self.stream.uploads()], [1])

    def test_a_cut_in_a_round_is_an_interruption_and_between_rounds_is_none(self):
        self.hold(CARER, "a")
        nothing_new = self.caught_up(b"1")
        nothing_new.sync_recorded.SetInParent()
        self.assertEqual(self.sync(nothing_new, end=CUT, follow=True).outcome, "succeeded")
        batch = pb.SyncResponse(changes=changes("b", token=b"2"))
        self.assertEqual(self.sync(nothing_new, batch, end=CUT, follow=True).outcome, "interrupted")

    def test_what_comes_after_the_device_has_half_closed_is_left_for_the_next_sync_but_results(self):
        self.hold(CARER, "a")
        nothing_new = self.caught_up(b"1")
        nothing_new.sync_recorded.SetInParent()
        event = self.events.record(CARER, b"event")
        result = pb.UploadResult(results=[pb.EventResult(event_id=event.event_id, outcome=pb.EVENT_OUTCOME_ACCEPTED)])
        end = self.sync(nothing_new,
                        None,
                        pb.SyncResponse(changes=changes("b", token=b"2")),
                        pb.SyncResponse(upload_result=result),
                        follow=True,
                        follow_rounds=0,
                        end=StreamEnd("ABORTED", "LEFT_UNFINISHED", "", None))
        self.assertEqual((end.outcome, self.shown_ids(), self.stream.acks()), ("succeeded", ["a"], []))
        self.assertEqual(self.events.unsent(CARER), [])

    def test_an_interruption_is_the_devices_and_told_by_whichever_carer_syncs_next(self):
        self.sync(pb.SyncResponse(started=pb.Started()), end=CUT)
        Sync(Wish(DEVICE, OTHER), self.state, self.copies, self.events, stream := ScriptedStream(end=CUT),
             lambda what, **details: None).run()
        self.assertEqual(stream.sent[0].start.last_interruption, pb.INTERRUPTION_CAUSE_NO_NETWORK)

    def test_a_manual_sync_is_due_until_one_is_recorded(self):
        self.hold(CARER, "a")
        answer = self.caught_up(b"1")
        answer.started.manual_sync_due_since_time.FromSeconds(1_800_000_000)
        answer.sync_recorded.manual_sync_due_since_time.FromSeconds(1_800_000_000)
        self.sync(answer, sync_type=pb.SYNC_TYPE_AUTO)
        self.assertEqual(self.state.manual_sync_due_since(CARER), "2027-01-15T08:00:00Z")
        answer.sync_recorded.ClearField("manual_sync_due_since_time")
        self.sync(answer)
        self.assertIsNone(self.state.manual_sync_due_since(CARER))

    def test_a_visit_that_ends_meanwhile_is_told_when_the_sync_is_recorded(self):
        self.hold(CARER, "a")
        answer = self.caught_up(b"1")
        answer.sync_recorded.manual_sync_due_since_time.FromSeconds(1_800_000_000)
        self.sync(answer)
        self.assertEqual(self.state.manual_sync_due_since(CARER), "2027-01-15T08:00:00Z")

    def test_the_next_sync_is_near_until_this_one_is_recorded(self):
        self.hold(CARER, "a")
        started = pb.SyncResponse(started=pb.Started(policy=pb.Policy(time_zone="Europe/Rome")))
        started.started.policy.next_auto_sync_time.FromSeconds(1_800_000_154)
        self.sync(started, end=CUT)
        self.assertEqual(pb.Policy.FromString(self.state.policy()).next_auto_sync_time.seconds, 1_800_000_154)
        answer = self.caught_up(b"1")
        answer.started.CopyFrom(started.started)
        answer.sync_recorded.next_auto_sync_time.FromSeconds(1_800_001_654)
        self.sync(answer)
        policy = pb.Policy.FromString(self.state.policy())
        self.assertEqual((policy.next_auto_sync_time.seconds, policy.time_zone), (1_800_001_654, "Europe/Rome"))

    def test_notices_are_heeded(self):
        self.hold(CARER, "a")
        self.hold(OTHER, "b")
        notices = [pb.Notice(sync_now=pb.SyncNow()), pb.Notice(preferences=pb.Policy(time_zone="Europe/Rome")),
                   pb.Notice(drop_now=pb.DropNow(carer_ids=[OTHER])), pb.Notice()]
        notices[3].going_away.reconnect_after.FromMilliseconds(2500)
        end = self.sync(*(pb.SyncResponse(notice=notice) for notice in notices),
                        end=StreamEnd("UNAVAILABLE", "SHUTTING_DOWN", "", None))
        self.assertTrue(end.sync_now)
        self.assertEqual(pb.Policy.FromString(self.state.policy()).time_zone, "Europe/Rome")
        self.assertIsNone(self.copies.in_use(OTHER))
        self.assertEqual(end.retry_after, 2.5)


class ErrorsOfTheServer(unittest.TestCase):
    class Call:
        """What gRPC tells of a call that is over."""

        def __init__(self, trailing_metadata):
            self.trailing_metadata = lambda: trailing_metadata

        def code(self):
            return grpc.StatusCode.UNAVAILABLE

        def details(self):
            return "come back"

    def test_the_reason_and_the_time_come_from_the_details(self):
        status = messages.rpc_status.Status(code=14, message="come back")
        status.details.add().Pack(messages.rpc_details.ErrorInfo(reason="WAITING_AFTER_RESTORE", domain="caresync"))
        retry = messages.rpc_details.RetryInfo()
        retry.retry_delay.FromMilliseconds(1500)
        status.details.add().Pack(retry)
        end = end_of(self.Call((("other", "x"), ("grpc-status-details-bin", status.SerializeToString()))))
        self.assertEqual(end, StreamEnd("UNAVAILABLE", "WAITING_AFTER_RESTORE", "come back", 1.5))

    def test_an_error_without_details_has_no_reason(self):
        for trailing in (None, (), (("grpc-status-details-bin", b"\xff\xff"),)):
            self.assertEqual(end_of(self.Call(trailing)), StreamEnd("UNAVAILABLE", "", "come back", None))


if __name__ == "__main__":
    unittest.main()
