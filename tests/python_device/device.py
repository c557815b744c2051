#!/usr/bin/env python3
"""A whole device in Python, for the terminal. README.md tells how to use it."""

import argparse
import base64
import hashlib
import json
import os
import signal
import sys
import time

import caresync_messages as messages
from copy_store import CopyStore
from device_state import DeviceState, StateOfAnotherDevice
from event_queue import EventQueue, EventTooLarge
from sync_client import Wish, name_of
from syncing import Syncing

pb = messages.device_sync
TYPES = {"standard": pb.SYNC_TYPE_STANDARD, "clean": pb.SYNC_TYPE_CLEAN, "auto": pb.SYNC_TYPE_AUTO}
KINDS = ("visit_started", "visit_finished", "activity_outcome", "form_submitted", "note", "rota_change_seen")


class Teller:
    """Tells people or machines of each step, and can end this process at one, as a phone's system may."""

    def __init__(self, as_json, kill_at):
        self._as_json = as_json
        self._kill_at, self._steps_left = kill_at or (None, 0)

    def __call__(self, what, **details):
        if self._as_json:
            print(json.dumps({"event": what, **details}), flush=True)
        elif what not in ("acked", "batch_received"):
            print(what, *(f"{name}={_short(value)}" for name, value in details.items()), flush=True)
        if what == self._kill_at:
            self._steps_left -= 1
            if self._steps_left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def _short(value):
    return f"({len(value)})" if isinstance(value, list) else value


def _step(text):
    """STEP:N, such as batch:3."""
    step, _, number = text.partition(":")
    return step, int(number or 1)


def sync(options, state):
    def read_credential():
        with open(options.token_file, encoding="ascii") as file:
            return file.read().strip()

    follow = options.follow is not None or options.follow_rounds is not None
    wish = Wish(device_uuid=options.device_uuid,
                carer_id=options.carer,
                sync_type=TYPES[options.type],
                data_level=options.level,
                follow=follow,
                follow_seconds=options.follow,
                follow_rounds=options.follow_rounds,
                form_in_progress=options.form_in_progress,
                next_sync_in=options.next_sync_in,
                largest_bytes=options.largest_bytes,
                device_name=options.device_name,
                app_version=options.app_version)
    end = Syncing(options.server, read_credential, state, Teller(options.json, options.kill_at)).run(wish)
    return 0 if end.outcome == "succeeded" else 1


def record(options, state):
    """Keeps what the carer recorded; the next sync uploads it."""
    event = messages.records.CareEvent(carer_id=options.carer)
    event.occurred_time.FromNanoseconds(time.time_ns())
    if options.visit:
        event.visit_id = options.visit
    else:
        event.service_user_id = options.service_user
    what = getattr(event, options.kind)
    what.SetInParent()
    if options.kind == "note":
        what.text = options.text
    elif options.kind == "activity_outcome":
        what.activity_id, what.outcome, what.comment = options.activity, what.OUTCOME_DONE, options.text
    elif options.kind == "form_submitted":
        what.form_id = options.form
        what.answers.update(answer.split("=", 1) for answer in options.answer)
    elif options.kind == "rota_change_seen":
        what.revision = _revision_shown(state, options)
    kept = EventQueue(state).record(options.carer, event.SerializeToString(),
                                    opens=options.visit if options.kind == "visit_started" else "",
                                    closes=options.kind == "visit_finished")
    told = {"event_id": kept.event_id, "sequence": kept.sequence}
    print(json.dumps(told) if options.json else f"{kept.sequence} {kept.event_id}")
    return 0


def _revision_shown(state, options):
    shown, _ = CopyStore(state).shown(options.carer)
    visit = next((r for r in shown if (r.kind, r.record_id) == (messages.records.RECORD_KIND_VISIT, options.visit)),
                 None)
    return visit.revision if visit else 0


def show(options, state):
    """What is held, of one carer or of each, without asking the server."""
    for carer_id in [options.carer] if options.carer else state.carers():
        held = _held(options, state, carer_id)
        if options.json:
            print(json.dumps(held))
            continue
        print(f"{carer_id}  records {held['count']}  complete {held['complete']}  unsent {len(held['unsent'])}")
        for item in held["records"]:
            print(f"  {item['kind_name']:24} {item['record_id']} {item['sha256'][:16]}")
    return 0


def _held(options, state, carer_id):
    copies, events = CopyStore(state), EventQueue(state)
    shown, complete = copies.shown(carer_id)
    in_use, being_made = copies.in_use(carer_id), copies.being_made(carer_id)
    held = {"carer_id": carer_id, "complete": complete, "being_made": being_made is not None, "records": []}
    held["count"], held["sum"] = copies.holds(in_use) if in_use else (len(shown), None)
    for item in shown:
        kind_name = name_of(messages.records.RecordKind, item.kind).removeprefix("RECORD_KIND_")
        told = {"kind": item.kind, "kind_name": kind_name, "record_id": item.record_id,
                "sha256": hashlib.sha256(item.payload).hexdigest(), "revision": item.revision}
        if options.payloads:
            told["payload"] = base64.b64encode(item.payload).decode("ascii")
        held["records"].append(told)
    held["open_visit_id"] = state.open_visit(carer_id)
    held["unsent"] = [event.event_id for event in events.unsent(carer_id)]
    held["outcomes"] = {event_id: [name_of(pb.EventOutcome, outcome), name_of(pb.ReviewReason, reason)]
                        for event_id, (outcome, reason) in events.outcomes(carer_id).items()}
    policy = pb.Policy.FromString(state.policy() or b"")
    known = policy.HasField("next_auto_sync_time")
    held["manual_sync_due_since"] = state.manual_sync_due_since(carer_id)
    held["next_auto_sync_time"] = policy.next_auto_sync_time.ToJsonString() if known else None
    return held


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default="127.0.0.1:7443", help="HOST:PORT")
    parser.add_argument("--token-file", help="holds the carer's bearer token; read at each start of a sync")
    parser.add_argument("--state", required=True, help="a folder for this device alone")
    parser.add_argument("--device-uuid", required=True)
    parser.add_argument("--carer", help="the carer's record ID")
    commands = parser.add_subparsers(dest="command", required=True)

    command = commands.add_parser("sync", help="send what was recorded, fetch what changed")
    command.add_argument("--type", choices=TYPES, default="standard")
    command.add_argument("--follow",
                         type=float,
                         metavar="SECONDS",
                         help="go on with changes as they commit, for so long")
    command.add_argument("--follow-rounds", type=int, metavar="N", help="go on until N rounds of changes are confirmed")
    command.add_argument("--level", type=int, default=2, help="the data level of this app")
    command.add_argument("--form-in-progress", action="store_true", help="a form is being filled in")
    command.add_argument("--next-sync-in",
                         type=float,
                         metavar="SECONDS",
                         help="when the phone's system lets the app sync again")
    command.add_argument("--largest-bytes",
                         type=int,
                         metavar="N",
                         help="give up where about more than N bytes are to come")
    command.add_argument("--device-name", default=Wish.device_name)
    command.add_argument("--app-version", default=Wish.app_version)
    command.add_argument("--kill-at", type=_step, metavar="STEP[:N]", help=argparse.SUPPRESS)
    command.set_defaults(run=sync)

    command = commands.add_parser("record", help="record what the carer did")
    place = command.add_mutually_exclusive_group(required=True)
    place.add_argument("--visit", metavar="ID")
    place.add_argument("--service-user", metavar="ID")
    command.add_argument("--kind", choices=KINDS, required=True)
    command.add_argument("--text", default="All well", help="of a note, or the comment on an activity")
    command.add_argument("--activity", default="", help="of an activity_outcome")
    command.add_argument("--form", default="form", help="of a form_submitted")
    command.add_argument("--answer", action="append", default=[], metavar="QUESTION=ANSWER")
    command.set_defaults(run=record)

    command = commands.add_parser("show", help="what is held")
    command.add_argument("--payloads", action="store_true", help="with --json: the payloads too, in base64")
    command.set_defaults(run=show)
    for command in commands.choices.values():
        command.add_argument("--json", action="store_true", help="an object a line, for machines")

    options = parser.parse_args(arguments)
    if options.command != "show" and not options.carer:
        parser.error("--carer is needed")
    if options.command == "sync" and not options.token_file:
        parser.error("--token-file is needed")
    return options


def main(arguments):
    options = parse(arguments)
    # Being told to end is the app being left.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        state = DeviceState(options.state, options.device_uuid)
        try:
            return options.run(options, state)
        finally:
            state.close()
    except (StateOfAnotherDevice, EventTooLarge, OSError) as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
