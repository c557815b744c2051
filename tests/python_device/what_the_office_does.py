"""What an office does to phones, and what happens to them, as the device in Python lives through it: care plans and data levels, access,
following, two carers on one phone, drops, a blocked phone, a phone that is there twice, refusals, a damaged copy, a credential that ends."""

import argparse
import json
import os
import signal
import sqlite3
import tempfile

import grpc

import caresync_messages as messages
from office import Office
from phones import CARE_EVENT, CARE_PLAN, CliPhone, PythonPhone, Server, end_of, expect, expect_same, of_event
from sync_stream import Ended, SyncStream

TENANT = "office"
DATE = "2026-11-21"
CARER, OTHER = "003-rome/c5", "003-rome/c6"
PLAN = "9b2f7f57-3f4e-4a51-9d3c-3f0f0f7c0001"
OTHER_PLAN = "9b2f7f57-3f4e-4a51-9d3c-3f0f0f7c0002"
SERVICE_USER, VISIT = 4, 5
# docs/protocol.md, "Being refused".
TAKE_OVERS_OF_AN_HOUR = 200


def uuid_of(number):
    return f"5e000000-0000-4000-8000-{number:012d}"


def without(held, *kinds):
    return {key: payload for key, payload in held.items() if key[0] not in kinds}


def first(held, kind):
    return min(record_id for held_kind, record_id in held if held_kind == kind)


def ends(lines, outcome, reason):
    end = end_of(lines)
    expect((end["outcome"], end["reason"]) == (outcome, reason), f"ended otherwise: {end}")
    return end


def rebuild_reasons(lines):
    return [line["reason"].removeprefix("REBUILD_REASON_") for line in of_event(lines, "rebuild")]


class Scene:
    """A rota of one agency on a server, and two of its carers."""

    def __init__(self, server, folder, rota):
        self.cli, self.folder = server.cli(TENANT), folder
        self.cli.run("tenant", "create", TENANT)
        self.cli.json("import-rota", rota, "--any-date", "--date", DATE)
        known = {c["external_id"]: c["carer_id"] for c in self.cli.json("carers")["carers"]}
        self.carer, self.other = known[CARER], known[OTHER]
        self.numbers = iter(range(1, 100))

    def python_phone(self, *carers, **more):
        return PythonPhone(self.cli, self.folder, uuid_of(next(self.numbers)), *(carers or [self.carer]), **more)

    def cli_phone(self, carer=None):
        return CliPhone(self.cli, self.folder, uuid_of(next(self.numbers)), carer or self.carer)


def check_unknown_device(scene):
    """A device that nobody enrolled becomes known by its first sync, with that carer alone as its user."""
    phone = scene.python_phone(scene.carer, scene.other, enrolled=False)
    phone.sync()
    ends(phone.sync(carer_id=scene.other, status=1), "refused", "CARER_NOT_A_USER")
    users = scene.cli.json("device", "show", phone.uuid)["users"]
    expect([user["carer_id"] for user in users] == [scene.carer], f"its users: {users}")


def check_data_levels(scene, office):
    second, low, witness = scene.python_phone(), scene.python_phone(), scene.cli_phone()
    second.sync()
    low.sync("--level", "1")
    witness.sync()
    service_user = first(second.held(), SERVICE_USER)
    office.put_care_plan(PLAN, service_user, "Two of the white ones, before breakfast. " * 200)
    second.sync()
    low.sync("--level", "1")
    witness.sync()
    held = second.held()
    expect((CARE_PLAN, PLAN) in held, "the care plan did not come")
    expect_same(held, witness.held(), "a device of the second level and the other make's")
    expect_same(low.held(), without(held, CARE_PLAN), "a device of the first level has all but care plans")

    expect(rebuild_reasons(low.sync("--level", "2")) == ["DATA_LEVEL"], "another level did not lead to a new copy")
    expect_same(low.held(), held, "after going up a level")
    expect(rebuild_reasons(low.sync("--level", "9")) == [], "a level above the highest counts as that")
    low.sync("--level", "1")
    expect_same(low.held(), without(held, CARE_PLAN), "after going down a level")
    office.delete_care_plan(PLAN)
    second.sync()
    expect_same(second.held(), without(held, CARE_PLAN), "after the plan was deleted")
    return second, witness


def check_access(scene, office, phone, witness):
    """A service user of others comes by a list of carers, and by a group, with its care plan, and goes again."""
    elsewhere = scene.cli_phone(scene.other)
    elsewhere.sync()
    before = phone.held()
    stranger = min(record_id for kind, record_id in elsewhere.held()
                   if kind == SERVICE_USER and (kind, record_id) not in before)
    office.put_care_plan(OTHER_PLAN, stranger, "Speaks Welsh")
    group = office.send_group("night-team", [CARER])
    for access in ({"carer_ids": [scene.carer]}, {"group_ids": [group]}):
        office.set_access(stranger, **access)
        phone.sync()
        witness.sync()
        more = set(phone.held()) - set(before)
        expect(more == {(SERVICE_USER, stranger), (CARE_PLAN, OTHER_PLAN)}, f"by {access} came {more}")
        expect_same(phone.held(), witness.held(), f"the two makes, by {access}")
    office.send_group("night-team", [CARER], dissolved=True)
    phone.sync()
    witness.sync()
    expect_same(phone.held(), before, "after the group was dissolved")
    expect_same(phone.held(), witness.held(), "the two makes, after the group was dissolved")


def lines_until(process, event):
    """What a running sync prints until it prints this; to be called again for the next."""
    lines = []
    for line in process.stdout:
        lines.append(json.loads(line))
        if lines[-1]["event"] == event:
            return lines
    raise AssertionError(f"the sync ended before {event}: {lines}")


# Each round of following is waited for, so that nothing falls together.
def check_following(scene, office, phone, witness):
    visit = first(phone.held(), VISIT)
    with phone.start_sync("--follow-rounds", "3") as process:
        lines_until(process, "sync_recorded")
        expect(office.request_sync(phone.uuid), "the phone is not connected")
        expect(lines_until(process, "notice")[-1]["notice"] == "sync_now", "another notice")
        noted = witness.note(visit, "Seen by all who follow")
        witness.sync()
        batches = of_event(lines_until(process, "sync_recorded"), "batch")
        expect([[CARE_EVENT, noted]] == [key for batch in batches for key in batch["upserts"]],
               f"the round brought {batches}")
        own = phone.record(visit, "note")  # By the app, while it follows.
        results = of_event(lines_until(process, "sync_recorded"), "result")
        expect([(r["event_id"], r["outcome"]) for r in results] == [(own, "EVENT_OUTCOME_ACCEPTED")],
               f"results {results}")
        office.put_care_plan(PLAN, first(phone.held(), SERVICE_USER), "A new one")
        rest = [json.loads(line) for line in process.stdout]
    expect(process.returncode == 0, f"the follower ended with {process.returncode}: {rest}")
    ends(rest, "succeeded", "")
    witness.sync()
    expect_same(phone.held(), witness.held(), "a phone that followed and one that synced")
    with phone.start_sync("--follow", "600") as process:
        lines_until(process, "sync_recorded")
        process.send_signal(signal.SIGTERM)
        ends([json.loads(line) for line in process.stdout], "succeeded", "")
    expect(process.returncode == 0, "a follower that is told to end between rounds ends well")
    syncs = scene.cli.json("syncs", phone.uuid)["syncs"]
    expect([sync["outcome"] for sync in syncs[:2]] == ["SYNC_OUTCOME_SUCCEEDED"] * 2,
           f"the history says otherwise: {syncs[:2]}")
    expect(syncs[1]["confirmations"] == 4, f"{syncs[1]['confirmations']} confirmations")


def check_credential_end(scene, phone):
    """A follower gets a new credential before the old one ends, and goes on."""
    path = os.path.join(scene.folder, "python", phone.uuid, f"token-{phone.carer_id}")
    mint = ["token", "--role", "carer", "--subject", phone.carer_id, "--device", phone.uuid]
    new = scene.cli.run(*mint)[0]
    with open(path, "w", encoding="ascii") as file:
        file.write(scene.cli.run(*mint, "--lifetime", "22s")[0])
    with phone.start_sync("--follow", "600") as process:
        lines_until(process, "sync_recorded")
        with open(path, "w", encoding="ascii") as file:
            file.write(new)
        expect(lines_until(process, "end")[-1]["outcome"] == "succeeded", "the first stream did not end well")
        lines_until(process, "sync_recorded")
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
    expect(process.returncode == 0, "the second stream did not end well")


# Requirement: S13
def check_two_carers_and_drops(scene):
    phone = scene.python_phone(scene.carer, scene.other)
    witnesses = {scene.carer: scene.cli_phone(scene.carer), scene.other: scene.cli_phone(scene.other)}
    for carer, witness in witnesses.items():
        phone.sync(carer_id=carer)
        witness.sync()
        expect_same(phone.held(carer), witness.held(), "a phone of two carers and a phone of one")
    expect(phone.held(scene.carer) != phone.held(scene.other), "both carers see the same: this shows nothing")
    visit = first(phone.held(scene.other), VISIT)
    phone.sync("--type", "clean", "--kill-at", "batch:1", carer_id=scene.other, status=-signal.SIGKILL)
    note = phone.record(visit, "note", carer_id=scene.other)

    scene.cli.run("device", "users", phone.uuid, CARER)
    lines = phone.sync(carer_id=scene.carer)
    expect([line["carer_ids"] for line in of_event(lines, "dropped")] == [[scene.other]], f"not dropped: {lines}")
    gone = phone.shown(scene.other)
    expect(gone["records"] == [] and not gone["being_made"] and gone["unsent"] == [note],
           f"what is left of the other carer: {gone}")
    expect_same(phone.held(scene.carer), witnesses[scene.carer].held(), "the copy of the carer who stays")
    users = {user["carer_id"]: user for user in scene.cli.json("device", "show", phone.uuid)["users"]}
    expect(users[scene.other]["drop_state"] == "DROP_STATE_DROPPED", f"the report: {users[scene.other]}")
    # Refused, but what was recorded is taken.
    lines = phone.sync(carer_id=scene.other, status=1)
    ends(lines, "refused", "CARER_NOT_A_USER")
    expect([line["event_id"] for line in of_event(lines, "result")] == [note], f"the event was not taken: {lines}")
    expect(phone.shown(scene.other)["unsent"] == [], "the event is still in the queue")

    scene.cli.run("device", "users", phone.uuid, f"{CARER}", f"{OTHER}")
    phone.sync(carer_id=scene.other)
    witnesses[scene.other].sync()
    expect_same(phone.held(scene.other), witnesses[scene.other].held(), "a carer who is back")
    return phone, witnesses[scene.carer]


def check_blocking(scene, phone, witness):
    phone.record(first(phone.held(), VISIT), "note")
    scene.cli.run("device", "block", phone.uuid)
    lines = phone.sync(status=1)
    ends(lines, "refused", "DEVICE_BLOCKED")
    expect(len(of_event(lines, "result")) == 1, "a blocked phone's event was not taken")
    shown = [phone.shown(carer) for carer in (scene.carer, scene.other)]
    expect(all(copy["records"] == [] and not copy["complete"] for copy in shown), f"a blocked phone holds {shown}")
    scene.cli.run("device", "unblock", phone.uuid)
    expect(rebuild_reasons(phone.sync()) == ["NEW_COPY"], "after the block")
    witness.sync()
    expect_same(phone.held(), witness.held(), "a phone that was blocked")


def take_over_again_and_again(scene, uuid):
    """Streams of one UUID, each taking the one before over, until there was one more than an hour allows."""
    credential = scene.cli.run("token", "--role", "carer", "--subject", scene.carer, "--device", uuid)[0].strip()
    start = messages.device_sync.Start(device_uuid=uuid, carer_id=scene.carer, data_level=2,
                                       sync_type=messages.device_sync.SYNC_TYPE_AUTO)
    with grpc.insecure_channel(scene.cli.environment["CARESYNC_SERVER"]) as channel:
        before = None
        for _ in range(TAKE_OVERS_OF_AN_HOUR + 2):
            stream = SyncStream(channel, credential)
            stream.send(start=start)
            try:
                stream.receive(30)  # `started`: the one before is taken over.
            except Ended as ended:
                expect(ended.end.reason in ("DEVICE_CLONED", "SESSION_TAKEN_OVER"), f"ended otherwise: {ended.end}")
            if before is not None:
                before.cut()
            before = stream
        before.cut()


def check_cloned(scene):
    """Two phones with one UUID: neither gets anything, until the office says that there is one again."""
    phone, witness = scene.python_phone(), scene.cli_phone()
    phone.sync()
    witness.sync()
    take_over_again_and_again(scene, phone.uuid)
    shown = scene.cli.json("device", "show", phone.uuid)
    expect(shown["cloned"] and shown["state"] == "DEVICE_STATE_BLOCKED", f"it is not cloned: {shown}")
    ends(phone.sync(status=1), "refused", "DEVICE_CLONED")
    cleared = scene.cli.json("device", "clear-cloned", phone.uuid)
    expect(not cleared["cloned"] and cleared["state"] != "DEVICE_STATE_BLOCKED", f"it is cloned: {cleared}")
    phone.sync()
    expect_same(phone.held(), witness.held(), "a phone that is no clone any more")


def check_refusals(scene, phone):
    before = phone.held()
    phone.record(first(before, VISIT), "visit_started")
    lines = phone.sync("--type", "clean", status=1)
    ends(lines, "refused", "CLEAN_SYNC_WOULD_LOSE_WORK")
    phone.sync()
    ends(phone.sync("--type", "clean", status=1), "refused", "CLEAN_SYNC_WOULD_LOSE_WORK")  # Logged into the visit.
    phone.record(first(before, VISIT), "visit_finished")
    phone.sync()
    ends(phone.sync("--type", "clean", "--form-in-progress", status=1), "refused", "CLEAN_SYNC_WOULD_LOSE_WORK")
    before = phone.held()
    lines = phone.sync("--type", "clean", "--largest-bytes", "0", status=(0, 1))
    expect(end_of(lines)["outcome"] in ("given_up", "succeeded"), f"ended otherwise: {end_of(lines)}")
    expect_same(phone.held(), before, "after refused clean syncs")

    scene.cli.run("tenant", "set", TENANT, "--least-app-version", "2.0")
    phone.record(first(before, VISIT), "note")
    lines = phone.sync(status=1)
    ends(lines, "refused", "APP_TOO_OLD")
    expect(len(of_event(lines, "result")) == 1, "an old app's event was not taken")
    phone.sync("--app-version", "2.0.1")
    scene.cli.run("tenant", "set", TENANT, "--least-app-version", "")


def alter(scene, phone, query, *values):
    database = sqlite3.connect(os.path.join(scene.folder, "python", phone.uuid, "device.sqlite3"))
    with database:
        database.execute(query, values)
    database.close()


def check_tokens_and_damage(scene, phone):
    """Tokens that are not valid here lead to a new copy in the same run; a damaged copy is found out and made anew."""
    before = phone.held()
    note = phone.record(first(before, VISIT), "note")
    alter(scene, phone, "UPDATE copy SET resume_token = ?", b"\x00no token\xff")
    lines = phone.sync()
    outcomes = [(line["outcome"], line["reason"]) for line in of_event(lines, "end")]
    expect(outcomes == [("refused", "TOKEN_NOT_VALID"), ("succeeded", "")], f"two streams: {outcomes}")
    expect([line["event_id"] for line in of_event(lines, "result")] == [note],
           "the event went up in the stream that was refused")
    expect(rebuild_reasons(lines) == ["NEW_COPY"], "a new copy was not made")
    before |= {key: payload for key, payload in phone.held().items() if key == (CARE_EVENT, note)}
    expect_same(phone.held(), before, "after a token that is not valid")

    other = scene.python_phone()
    other.sync()
    (token,) = sqlite3.connect(os.path.join(scene.folder, "python", other.uuid, "device.sqlite3")).execute(
        "SELECT resume_token FROM copy").fetchone()
    alter(scene, phone, "UPDATE copy SET resume_token = ?", token)
    lines = phone.sync()
    expect([line["reason"] for line in of_event(lines, "end")] == ["TOKEN_OF_ANOTHER_COPY", ""],
           f"ended otherwise: {lines}")
    expect_same(phone.held(), before, "after another copy's token")

    alter(scene, phone, "UPDATE record SET payload = CAST(payload || x'00' AS BLOB) WHERE kind = ? AND record_id = ?",
          VISIT, first(before, VISIT))
    ends(phone.sync(status=1), "refused", "COPY_DIVERGED")
    expect(rebuild_reasons(phone.sync()) == ["DIVERGED"], "a damaged copy was not made anew")
    expect_same(phone.held(), before, "after the damage")


def check_server_that_goes_away(scene, server, phone):
    """A follower is told when to come back, and goes on when the server is there again."""
    before = phone.held()
    with phone.start_sync("--follow", "600") as process:
        lines_until(process, "sync_recorded")
        server.halt()
        end = lines_until(process, "end")[-1]
        expect((end["outcome"], end["reason"]) == ("succeeded", "SHUTTING_DOWN"), f"ended otherwise: {end}")
        again = lines_until(process, "connects_again")[-1]
        expect(again["after_seconds"] == end["retry_after"] > 0, f"it comes back {again}, told {end}")
        process.send_signal(signal.SIGTERM)
    expect(process.returncode == 0, f"it ended with {process.returncode}")
    end = end_of(phone.sync(status=1))
    expect((end["outcome"], end["reason"]) == ("interrupted", "UNAVAILABLE"), f"without a server: {end}")
    server.start()
    phone.meet(server.cli(TENANT))
    phone.sync()
    expect_same(phone.held(), before, "after the server was started again")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin-dir", required=True)
    parser.add_argument("--rota", required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Server(options.bin_dir, "--batch-bytes", "2048") as server:
        scene = Scene(server, folder, options.rota)
        check_unknown_device(scene)
        with Office(scene.cli) as office:
            phone, witness = check_data_levels(scene, office)
            check_access(scene, office, phone, witness)
            check_following(scene, office, phone, witness)
        check_credential_end(scene, phone)
        shared, witness = check_two_carers_and_drops(scene)
        check_blocking(scene, shared, witness)
        check_cloned(scene)
        check_refusals(scene, phone)
        check_tokens_and_damage(scene, phone)
        check_server_that_goes_away(scene, server, phone)
        print("levels, access, following, drops, refusals, damage: the device in Python holds what it may")


if __name__ == "__main__":
    main()
