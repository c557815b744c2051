"""The command line as people use it, against a server: a rota, a device that records and syncs, the office's report."""

import argparse
import csv
import fcntl
import io
import json
import os
import pathlib
import pty
import re
import signal
import struct
import subprocess
import tempfile
import termios

from caresync_process import Server, expect

TENANT = "agency"
DEVICE = "5e000000-0000-4000-8000-000000000001"
IDLE_DEVICE = "5e000000-0000-4000-8000-000000000002"
FOLLOWER = "5e000000-0000-4000-8000-000000000003"
TEXT_FOLLOWER = "5e000000-0000-4000-8000-000000000004"
COLUMNS = ["Branch", "Users", "Last API call time", "Last API call success", "Last successful sync",
           "Manual sync due since", "Device name", "App version", "UUID", "Syncs in 7 days", "Clean in 30 days", "State", "Reason"]
MISMATCH_COLUMNS = ["State", "Visit start", "Carer", "Service user", "Changes", "Device", "Last successful sync"]
CSV_COLUMNS = ["Branch", "Users", "Device name", "App version", "UUID", "Last API call time", "Last API call success",
               "Last successful sync", "Manual sync due since", "Successful syncs in 7 days", "Clean syncs in 30 days", "State",
               "Reason"]


def check_usage_errors(cli):
    for arguments in (["no-such-command"], ["import-rota", "x.json"], ["token", "--role", "king"],
                      ["token", "--role", "carer"], ["device", "sync", "--uuid", "not-a-uuid", "--carer", "c1"],
                      ["import-rota", "x.json", "--date", "2026-13-01"]):
        output, error = cli.run(*arguments, status=2)
        expect(output + error != "", f"{arguments} says nothing")
    _, error = cli.run("device", status=2)
    expect("start-visit" in error, error)
    for arguments in (["no-such-command"], ["devices", "--no-such-option"], ["syncs"], ["device"], [],
                      ["device", "sync", "--uuid", "not-a-uuid", "--carer", "c1"]):
        told = cli.json(*arguments, status=2)
        expect(told["error"]["reason"] == "USAGE" and told["error"]["message"] != "", told)
    output, _ = cli.run("--help")
    expect("caresync import-rota" in output, "the help has no examples")
    output, _ = cli.run("device", "sync", "--help")
    expect("--clean" in output and "--stop-after-batches" not in output, "the help of device sync")


def check_import(cli, rota):
    _, error = cli.run("import-rota", __file__, "--any-date", "--date", "2026-11-21", status=1)
    expect("ROTA_NOT_VALID" in error and "not JSON" in error, error)
    _, error = cli.run("import-rota", "no-such-file.json", "--any-date", "--date", "2026-11-21", status=1)
    expect("FILE_NOT_READABLE" in error, error)
    output, _ = cli.run("import-rota", rota, "--any-date", "--date", "2026-11-21")
    expect(re.search(r"created 9\d", output) and "rejected 0" in output, output)
    output, _ = cli.run("import-rota", rota, "--any-date", "--date", "2026-11-21")
    expect("created 0  updated 0" in output, output)


def check_carers(cli):
    output, _ = cli.run("carers", "--search", "003-rome/c1")
    expect("003-rome/c1" in output and "Rome 003" in output, output)
    missing = cli.json("devices", "--carer", "nobody", status=1)
    expect(missing["error"]["reason"] == "CARER_NOT_FOUND", missing)


def check_a_device_without_its_server(cli):
    """What a device says of itself that has not reached its server, or not under the right name."""
    device = ["--uuid", DEVICE, "--carer", "c1"]
    nowhere = [*device, "--server", "127.0.0.1:1"]
    output, error = cli.run("device", "sync", *nowhere, status=1)
    expect("SERVER_UNREACHABLE" in error, error)
    # Whose visits they would be is not known either.
    expect(output == "visits -  records -  revision -  outcome interrupted\n", output)
    end = cli.json("device", "sync", *nowhere, status=1)
    expect((end["outcome"], end["reason"]) == ("interrupted", "SERVER_UNREACHABLE"), end)
    expect((end["visits"], end["records"], end["revision"]) == (None, None, None), end)
    with tempfile.TemporaryDirectory() as folder:
        broken = os.path.join(folder, DEVICE + ".db")
        with open(broken, "w") as file:
            file.write("no database " * 100)
        output, error = cli.run("device", "sync", *device, "--state-dir", folder, status=1)
        expect("DEVICE_STORE_NOT_VALID" in error and broken in error, error)
        expect(output == "visits -  records -  revision -  outcome refused\n", output)
    # A tenant that the server does not know leaves no trace on the device.
    end = cli.json("device", "sync", *device, "--tenant", "mistyped", status=1)
    expect((end["outcome"], end["reason"]) == ("refused", "TENANT_UNKNOWN"), end)
    carer = cli.json("carers", "--search", "003-rome/c1")["carers"][0]["carer_id"]
    end = cli.json("device", "sync", "--uuid", DEVICE, "--carer", carer, "--tenant", "mistyped", status=1)
    expect((end["outcome"], end["reason"]) == ("refused", "TENANT_UNKNOWN"), end)


def check_recording(cli):
    device = ["--uuid", DEVICE, "--carer", "c1"]
    held = cli.json("device", "visits", *device)
    expect(held["visits"] == [] and held["never_synced"] is True, held)
    output, _ = cli.run("device", "visits", *device)
    expect("never synced" in output and "0 visits" not in output, output)
    output, _ = cli.run("device", "sync", *device, "--name", "Pixel 6", "--app-version", "4.2.0")
    last = output.splitlines()[-1]
    expect(re.fullmatch(r"visits [1-9]\d*  records \d+  revision \d+  outcome succeeded", last), output)
    expect("added" in output, output)

    held = cli.json("device", "visits", *device)
    expect(held["never_synced"] is False, held)
    visits = held["visits"]
    expect(all(visit["status"] == "planned" for visit in visits), visits)
    # The device is its tenant's now.
    error = cli.json("device", "visits", *device, "--tenant", "another", status=1)
    expect(error["error"]["reason"] == "DEVICE_OF_OTHER_TENANT", error)
    visit = visits[0]["visit_id"]
    cli.run("device", "start-visit", *device, visit)
    error = cli.json("device", "start-visit", *device, visits[1]["visit_id"], status=1)
    expect(error["error"]["reason"] == "VISIT_ALREADY_OPEN", error)
    cli.run("device", "note", *device, visit, "All well; door code changed")
    refused = cli.json("device", "sync", *device, "--clean", status=1)
    expect(refused["reason"] == "CLEAN_SYNC_WOULD_LOSE_WORK" and refused["unsent_events"] == 2, refused)
    cli.run("device", "finish-visit", *device)
    held = cli.json("device", "visits", *device)
    expect(held["unsent_events"] == 3 and held["visits"][0]["status"] == "finished", held)

    end = cli.json("device", "sync", *device)
    expect(end["outcome"] == "succeeded" and end["events_accepted"] == 3 and end["unsent_events"] == 0, end)
    end = cli.json("device", "sync", *device)
    expect(end["batches"] == 0 and end["outcome"] == "succeeded", f"an empty sync: {end}")
    end = cli.json("device", "sync", *device, "--clean")
    expect(end["outcome"] == "succeeded" and end["sync_type"] == "clean", end)
    held = cli.json("device", "visits", *device)["visits"][0]
    expect(held["status"] == "finished" and held["recorded_notes"] == 1, held)
    return visit


def check_what_the_rostering_system_reads(cli):
    # What was uploaded together is one commit, and has no order but the device's own.
    events = cli.json_lines("care-events")
    expect([next(kind for kind in ("visit_started", "note", "visit_finished") if kind in event["event"])
            for event in events] == ["visit_started", "note", "visit_finished"], events)
    expect(all(event["carer_external_id"] == "003-rome/c1" for event in events), events)
    expect([(event["device_uuid"], event["sequence"]) for event in events] == [(DEVICE, n) for n in (1, 2, 3)], events)
    output, _ = cli.run("care-events")
    expect(re.search(r"visit started\n.*note: All well; door code changed\n.*visit finished\n", output), output)
    with tempfile.TemporaryDirectory() as folder:
        place = os.path.join(folder, "place")
        expect(len(cli.json_lines("care-events", "--token-file", place)) == len(events), "not all events came")
        expect(cli.json_lines("care-events", "--token-file", place) == [], "events came again")
        # A place that cannot be read is not the beginning.
        told = cli.json_lines("care-events", "--token-file", folder, status=1)
        expect(len(told) == 1 and told[0]["error"]["reason"] == "FILE_NOT_READABLE", told)
        expect(folder in told[0]["error"]["message"], told)


# Requirement: R6
def check_report(cli):
    cli.run("device", "update", IDLE_DEVICE, "--enrol", "--users", "c2", "--branch", "Rome 003")
    output, _ = cli.run("devices")
    lines = output.splitlines()
    expect(re.split(r"  +", lines[0]) == COLUMNS, lines[0])
    row = next(line for line in lines if DEVICE in line)
    expect("succeeded" in row and "Never" not in row, row)
    expect(re.search(r"\d\d:\d\d:\d\d CES?T ", row), f"not the tenant's time: {row}")
    row = next(line for line in lines if IDLE_DEVICE in line)
    expect(row.startswith("Rome 003") and row.count("Never") == 3, row)
    never = cli.json("devices", "--never-synced")["devices"]
    expect([device["device_uuid"] for device in never] == [IDLE_DEVICE], never)

    output, _ = cli.run("device", "show", IDLE_DEVICE)
    expect("Last successful sync    Never" in output, output)
    syncs = cli.json("syncs", DEVICE)["syncs"]
    expect([sync["outcome"] for sync in syncs] == ["SYNC_OUTCOME_SUCCEEDED"] * 3 + ["SYNC_OUTCOME_REFUSED"] +
           ["SYNC_OUTCOME_SUCCEEDED"], syncs)
    numbers = ["upserts_sent", "removals_sent", "bytes_sent", "events_received", "end_revision"]
    expect(all(isinstance(sync[name], int) for sync in syncs for name in numbers), syncs)
    shown = cli.json("device", "show", DEVICE)
    expect(shown["take_overs"] == 0 and isinstance(shown["users"][0]["acknowledged_revision"], int), shown)
    output, _ = cli.run("syncs", DEVICE, "--most", "2")
    expect(len(output.splitlines()) == 3, output)
    name = cli.json("carers", "--search", "003-rome/c1")["carers"][0]["name"]
    expect(name in output.splitlines()[1] and DEVICE not in output, f"whose syncs are they? {output}")
    refused = next(line for line in cli.run("syncs", DEVICE)[0].splitlines() if " refused" in line)
    expect(re.search(r"  - +" + re.escape(name), refused), f"it was caught up at no revision: {refused}")
    for shown in (output, cli.run("device", "show", DEVICE)[0], cli.run("care-events")[0], cli.run("tenant", "show", TENANT)[0]):
        expect(re.search(r":\d\d CES?T\b", shown) and "JST" not in shown, f"not the tenant's time: {shown}")


# Requirement: R5, R6, R7, R8, S6
def check_export(cli):
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "devices.csv"
        cli.run("devices", "--order-by", "device_uuid", "--csv", str(file))
        text = file.read_bytes().decode("utf-8")
        expect([path.name for path in pathlib.Path(folder).iterdir()] == ["devices.csv"], "something is left over")
        _, error = cli.run("devices", "--csv", str(pathlib.Path(folder) / "no" / "such" / "folder.csv"), status=1)
        expect("FILE_NOT_WRITABLE" in error, error)
    expect(text.endswith("\r\n"), "the last line has no end")
    header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    expect(header == CSV_COLUMNS, header)
    expect([row[4] for row in rows] == [DEVICE, IDLE_DEVICE], rows)
    synced, idle = (dict(zip(header, row)) for row in rows)
    expect(synced["Device name"] == "caresync command line" and synced["Last API call success"] == "succeeded", synced)
    expect(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+]0[12]:00", synced["Last successful sync"]), synced)
    expect(synced["Successful syncs in 7 days"] == "4" and synced["Clean syncs in 30 days"] == "1", synced)
    expect(idle["Last successful sync"] == "Never" and idle["State"] == "never synced" and idle["Reason"], idle)
    only = cli.run("devices", "--state", "never-synced", "--csv", "-")[0]
    expect(DEVICE not in only and IDLE_DEVICE in only, only)
    wrong = cli.json("devices", "--order-by", "age", "--csv", "-", status=1)
    expect(wrong["error"]["reason"] == "INVALID_FIELD", wrong)
    cli.run("devices", "--state", "sleepy", status=2)


# Requirement: R8
def check_a_carers_history(cli):
    syncs = cli.json("syncs", "--carer", "c1")["syncs"]
    expect(len(syncs) == 5 and all(sync["device_uuid"] == DEVICE for sync in syncs), syncs)
    expect(cli.json("syncs", "--carer", "c2")["syncs"] == [], "the carer never synced")
    output, _ = cli.run("syncs", "--carer", "c1")
    expect(output.count(DEVICE) == 5, f"on which devices? {output}")
    cli.run("syncs", status=2)
    cli.run("syncs", DEVICE, "--carer", "c1", status=2)


def check_mismatches(cli):
    """None is due within the minutes that this takes; what is shown of one is looked at in mismatch_table_test.cc."""
    carer = cli.json("carers", "--search", "003-rome/c1")["carers"][0]["carer_id"]
    for wish in ([], ["--ended"], ["--carer", "c1"], ["--carer", carer], ["--branch", "Rome 003"],
                 ["--branch", "Rome 003", "--carer", "003-rome/c1", "--ended"]):
        told = cli.json("mismatches", *wish)
        expect(told == {"mismatches": []}, f"{wish}: {told}")
    for wish, last in (([], ["Cause", "Advice"]), (["--ended"], ["Ended"])):
        lines = cli.run("mismatches", *wish)[0].splitlines()
        expect(re.split(r"  +", lines[0]) == [*MISMATCH_COLUMNS, *last] and lines[1:] == ["0 mismatches"], lines)
    expect(cli.json("mismatches", "--group", "--changed-from", "2026-11-21T07:02:00.25Z", "--branch", "Rome 003") == {"groups": []},
           "none is due")
    lines = cli.run("mismatches", "--group")[0].splitlines()
    expect(len(lines) == 1 and lines[0].startswith("Mismatches "), lines)
    for wrong in (["--group", "--ended"], ["--changed-until", "yesterday"], ["--last-sync-until", "yesterday"]):
        cli.run("mismatches", *wrong, status=2)
    for wish, reason in ((["--carer", "nobody"], "CARER_NOT_FOUND"), (["--branch", "nowhere"], "BRANCH_NOT_FOUND")):
        missing = cli.json("mismatches", *wish, status=1)
        expect(missing["error"]["reason"] == reason, missing)
    # The rostering system is none of those who are to put it right.
    token = cli.json("token", "--role", "rostering", "--subject", "rota-import")["token"]
    for wish in ([], ["--follow"]):
        refused = cli.json("mismatches", *wish, "--token", token, status=1)
        expect(refused["error"]["reason"] == "ROLE_NOT_ALLOWED", refused)
    nothing = {"mismatches": [], "caught_up": True, "restarted": False}
    with tempfile.TemporaryDirectory() as folder:
        place = os.path.join(folder, "place")
        for _ in ("from the beginning", "from there on"):
            told = cli.json_lines("mismatches", "--token-file", place)
            expect(told == [nothing], f"--token-file: {told}")
    with cli.start("mismatches", "--follow", "--json") as follower:
        told = json.loads(follower.stdout.readline())
        expect(told == nothing, f"--follow: {told}")
        follower.send_signal(signal.SIGINT)
        expect(follower.stdout.read() == "", "more came")
    for of_list in (["--ended"], ["--carer", "c1"], ["--branch", "Rome 003"]):
        told = cli.json("mismatches", "--follow", *of_list, status=2)
        expect(told["error"]["reason"] == "USAGE", told)


def check_explained_visits(cli, visit):
    """The phone of c1 holds its visits, which are not those of c3."""
    told = cli.json("explain-visit", "--carer", "c1", "--visit", visit)
    expect(told["acknowledged"] and told["failed_step"] == "DELIVERY_STEP_UNSPECIFIED", told)
    expect(told["device"]["device_uuid"] == DEVICE and told["acknowledged_revision"] >= told["feed_revision"] > 0, told)
    states = {step["step"]: step["state"] for step in told["steps"]}
    expect(states["DELIVERY_STEP_APPLIED"] == "DELIVERY_STEP_STATE_DONE", states)
    expect(states["DELIVERY_STEP_SEEN"] == "DELIVERY_STEP_STATE_UNKNOWN", states)
    output, _ = cli.run("explain-visit", "--carer", "003-rome/c1", "--visit", visit)
    expect(output.splitlines()[0] == told["headline"] and re.search(r"^applied +done ", output, re.M), output)
    expect(re.search(r"^Planned start .*:\d\d CES?T$", output, re.M), f"not the tenant's time: {output}")
    told = cli.json("explain-visit", "--carer", "c3", "--visit", visit)
    expect((told["failed_step"], told["fault"]) == ("DELIVERY_STEP_ASSIGNED", "DELIVERY_FAULT_NOT_ASSIGNED"), told)
    for carer, of, reason in (("nobody", visit, "CARER_NOT_FOUND"), (IDLE_DEVICE, visit, "CARER_UNKNOWN"),
                              ("c1", IDLE_DEVICE, "VISIT_UNKNOWN"), ("c1", "the visit", "INVALID_FIELD")):
        missing = cli.json("explain-visit", "--carer", carer, "--visit", of, status=1)
        expect(missing["error"]["reason"] == reason, missing)
    token = cli.json("token", "--role", "rostering", "--subject", "rota-import")["token"]
    refused = cli.json("explain-visit", "--carer", told["carer_id"], "--visit", visit, "--token", token, status=1)
    expect(refused["error"]["reason"] == "ROLE_NOT_ALLOWED", refused)


def check_the_delivery_record(cli, visit):
    """The phone of c1 holds the visit by the change that made it."""
    carer = cli.json("explain-visit", "--carer", "c1", "--visit", visit)["carer_id"]
    for wish in (["--visit", visit], ["--carer", "c1", "--visit", visit],
                 ["--device", DEVICE, "--visit", visit, "--from", "2020-01-01T00:00:00Z"]):
        told = [change for change in cli.json("deliveries", *wish)["deliveries"] if change["carer_id"] == carer]
        expect(len(told) == 1 and told[0]["visit_id"] == visit and told[0]["source"] == "rota-import", f"{wish}: {told}")
        device = [device for device in told[0]["devices"] if device["device_uuid"] == DEVICE][0]
        expect(device["state"] == "DELIVERY_STATE_APPLIED" and device["applied_time"], device)
    expect(cli.json("deliveries", "--visit", visit, "--to", "2020-01-01T00:00:00Z") == {"deliveries": []}, "committed later")
    lines = cli.run("deliveries", "--visit", visit, "--carer", "c1")[0].splitlines()
    expect(lines[0].startswith("Committed ") and " applied " in lines[1] and lines[-1] == "1 change", lines)
    for wrong in ([], ["--from", "yesterday"]):
        refused = cli.json("deliveries", *wrong, status=2)
        expect(refused["error"]["reason"] == "USAGE", refused)
    missing = cli.json("deliveries", "--carer", "nobody", status=1)
    expect(missing["error"]["reason"] == "CARER_NOT_FOUND", missing)
    # A rota that was imported refers to nothing that it does not bring.
    for wish in ([], ["--source", "rota-import", "--late"]):
        expect(cli.json("waiting-changes", *wish) == {"changes": []}, "something waits")
    lines = cli.run("waiting-changes")[0].splitlines()
    expect(lines[0].startswith("Since ") and lines[-1] == "0 changes wait", lines)

    held = {of["visit_id"] for of in cli.json("device", "visits", "--uuid", DEVICE, "--carer", "c1")["visits"]}
    for wish in (["--carer", "c1"], []):
        [view] = [view for view in cli.json("device-view", DEVICE, *wish)["views"] if view["carer_id"] == carer]
        expect(view["known"] == "DEVICE_VIEW_KNOWN_ALL", view)
        expect({of["visit_id"] for of in view["visits"]} == held, f"{wish}: not what the device itself shows")
    [view] = cli.json("device-view", DEVICE, "--carer", "c1", "--at", "2020-01-01T00:00:00Z")["views"]
    expect(view["visits"] == [] and view["known"] != "DEVICE_VIEW_KNOWN_ALL", view)
    output = cli.run("device-view", DEVICE)[0]
    expect(f"the device showed {len(held)} visit" in output and visit in output, output)
    missing = cli.json("device-view", DEVICE[:-1] + "0", status=1)
    expect(missing["error"]["reason"] == "DEVICE_UNKNOWN", missing)


def check_integration_lag(cli):
    """What counts as what is looked at in integration_lag_test.cc and applied_lag_test.cc."""
    told = cli.json("integration-lag")
    expect(told["since_time"] and told["committed"]["near"]["promise"] == "1200s", told)
    expect(told["applied"]["ahead"]["promise"] == "86400s" and len(told["applied"]["ahead"]["buckets"]) == 9, told)
    expect(told["committed"]["untimed"] == 0, f"the importer says when it changed what it sends: {told}")
    lines = cli.run("integration-lag")[0].splitlines()
    expect(len(lines) >= 6 and lines[0].startswith("End ") and lines[-1].startswith("Counted since "), lines)


def read_to_the_end(terminal):
    shown = b""
    while True:
        try:
            shown += os.read(terminal, 1 << 16)
        except OSError:  # EIO: nobody has its other end open any more.
            return shown.decode()


# Requirement: S6
def check_progress(cli):
    """A terminal shows how far a sync is, and nothing of that stays there."""
    terminal, its_end = pty.openpty()
    try:
        syncing = subprocess.Popen([cli.program, "device", "sync", "--clean", "--uuid", DEVICE, "--carer", "c1"],
                                   stdout=subprocess.DEVNULL, stderr=its_end, env=cli.environment)
    finally:
        os.close(its_end)
    shown = read_to_the_end(terminal)
    os.close(terminal)
    expect(syncing.wait(timeout=60) == 0, shown)
    expect(re.search(r"syncing \[=+\] (\d+)/\1\r\x1b\[K$", shown), f"no bar that fills, or one that stays: {shown!r}")


def check_a_terminals_tables(cli):
    """A table that a terminal has no room for is narrower there, and nowhere else."""
    wide = cli.run("devices")[0].splitlines()
    columns = 200
    expect(max(len(line) for line in wide) > columns, "the table has room already")
    terminal, its_end = pty.openpty()
    try:
        fcntl.ioctl(its_end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        listing = subprocess.Popen([cli.program, "devices"], stdout=its_end, env=cli.environment)
    finally:
        os.close(its_end)
    shown = re.sub(r"\x1b\[\d+m", "", read_to_the_end(terminal)).splitlines()
    os.close(terminal)
    expect(listing.wait(timeout=60) == 0 and max(len(line) for line in shown) <= columns, shown)
    words = lambda lines: sorted(word for line in lines for word in line.split())
    expect(words(shown) == words(wide), f"other words: {shown}")


# Requirement: A3
def check_blocking(cli):
    output, _ = cli.run("device", "block", DEVICE)
    expect("blocked" in output and "to be dropped" in output, output)
    device = cli.json("device", "block", DEVICE)
    expect(device["blocked"] and device["users"][0]["drop_state"] == "DROP_STATE_PENDING", device)
    blocked = cli.json("devices", "--state", "blocked")["devices"]
    expect([row["device_uuid"] for row in blocked] == [DEVICE], blocked)
    device = cli.json("device", "unblock", DEVICE)
    expect(not device["blocked"] and device["users"][0]["drop_state"] == "DROP_STATE_UNSPECIFIED", device)
    device = cli.json("device", "users", DEVICE, "c2", "c3")
    expect([user["is_user"] for user in device["users"]] == [True, True, False], device)
    expect(device["users"][2]["drop_state"] == "DROP_STATE_PENDING", device)
    device = cli.json("device", "users", DEVICE, "c1")
    expect([user["is_user"] for user in device["users"]] == [True, False, False], device)
    cli.run("device", "users", DEVICE, status=2)
    expect(cli.json("device", "users", IDLE_DEVICE, "--nobody")["state"] == "DEVICE_STATE_NO_USER", "it has a user")
    cli.json("device", "users", IDLE_DEVICE, "c2")


def next_event(lines, name):
    """The next JSON line that is such an event; those before it are passed over."""
    for line in lines:
        event = json.loads(line)
        if event.get("event") == name:
            return event
    raise AssertionError(f"the output ends without {name}")


def check_following(cli):
    device = ["--uuid", FOLLOWER, "--carer", "c1"]
    with cli.start("device", "sync", *device, "--follow", "--json") as follower:
        next_event(follower.stdout, "sync_recorded")
        end = cli.json("device", "sync", "--uuid", DEVICE, "--carer", "c1")
        expect(end["outcome"] == "succeeded", end)
        visits = cli.json("device", "visits", "--uuid", DEVICE, "--carer", "c1")["visits"]
        cli.run("device", "note", "--uuid", DEVICE, "--carer", "c1", visits[0]["visit_id"], "Seen by all")
        cli.run("device", "sync", "--uuid", DEVICE, "--carer", "c1")
        batch = next_event(follower.stdout, "batch")
        expect([upsert["kind"] for upsert in batch["upserts"]] == ["care event"], batch)
        next_event(follower.stdout, "sync_recorded")
        follower.send_signal(signal.SIGINT)
        last = [json.loads(line) for line in follower.stdout][-1]
        expect(last["outcome"] == "succeeded", last)
        expect(follower.wait(timeout=30) == 0, "a follower that was stopped did not end well")
    syncs = cli.json("syncs", FOLLOWER)["syncs"]
    expect([sync["outcome"] for sync in syncs] == ["SYNC_OUTCOME_SUCCEEDED"], syncs)


def check_following_as_text(cli, rota):
    """What a person reads of a sync that goes on: what comes, as it comes; Ctrl-C ends it well."""
    with open(rota) as file:
        agency = json.load(file)
    moved = next(route for route in agency["routes"] if route["caregiver_id"] == "c1")["locations"][0]
    moved["departure_time"] += 5
    with cli.start("device", "sync", "--uuid", TEXT_FOLLOWER, "--carer", "c1", "--follow") as follower, \
            tempfile.TemporaryDirectory() as folder:
        visits = cli.json("device", "visits", "--uuid", FOLLOWER, "--carer", "c1")["visits"]
        expect("making a new copy" in follower.stdout.readline(), "the new copy is not told")
        added = [follower.stdout.readline() for _ in visits]
        expect(all(line.startswith("added ") for line in added), added)
        changed = pathlib.Path(folder) / "rota.json"
        changed.write_text(json.dumps(agency))
        cli.run("import-rota", str(changed), "--any-date", "--date", "2026-11-21")
        told = follower.stdout.readline()
        expect(re.fullmatch(r"changed  2026-11-21 \d\d:\d\d-\d\d:\d\d  .+\n", told), told)
        follower.send_signal(signal.SIGINT)
        last = follower.stdout.read()
        expect(re.fullmatch(r"visits [1-9]\d*  records \d+  revision \d+  outcome succeeded\n", last), last)
        expect(follower.wait(timeout=30) == 0, "a follower that was stopped did not end well")
    cli.run("import-rota", rota, "--any-date", "--date", "2026-11-21")


def check_visits_that_are_taken_out(cli, rota):
    """A file is the whole rota of its day: who is on no route any more has no visit on any phone."""
    with open(rota) as file:
        agency = json.load(file)
    stops = next(route for route in agency["routes"] if route["caregiver_id"] == "c1")["locations"]
    visited = [stop["patient"] for route in agency["routes"] for stop in route.get("locations", [])]
    stops.remove(next(stop for stop in stops if visited.count(stop["patient"]) == 1))
    as_c1 = ["--uuid", TEXT_FOLLOWER, "--carer", "c1"]

    def visits():
        cli.json("device", "sync", *as_c1)
        return {visit["visit_id"] for visit in cli.json("device", "visits", *as_c1)["visits"]}

    before = visits()
    with tempfile.TemporaryDirectory() as folder:
        shorter = pathlib.Path(folder) / "rota.json"
        shorter.write_text(json.dumps(agency))
        day = ["import-rota", str(shorter), "--any-date", "--date", "2026-11-21"]
        # A rostering system may not look which visits there are: it says so, and cancels none.
        token = cli.json("token", "--role", "rostering", "--subject", "rota-import")["token"]
        told = cli.json(*day, "--time-zone", "Europe/Rome", "--token", token, status=1)
        expect(not told["earlier_visits_looked_up"] and told["unchanged"] == told["changes"], told)
        expect(visits() == before, "a visit is gone")
        output, _ = cli.run(*day)
        expect("created 0  updated 1 " in output, output)
        expect("1 service user is on no route: no visit; 1 of an earlier import withdrawn" in output, output)
        after = visits()
        expect(after < before and len(after) == len(before) - 1, f"{after} of {before}")
        told = cli.json(*day)
        expect((told["visits_withdrawn"], told["unchanged"]) == (0, told["changes"]), f"it changes again: {told}")
        cli.run("import-rota", rota, "--any-date", "--date", "2026-11-21")
        expect(visits() == before, "the visit that is in the rota again is not back")
        # Who never had a visit that day gets none by its being cancelled.
        told = cli.json("import-rota", str(shorter), "--any-date", "--date", "2026-11-20")
        expect((told["service_users_without_visit"], told["visits_withdrawn"]) == (1, 0), told)
        expect(told["earlier_visits_looked_up"] and told["created"] == told["visits"], told)


# Requirement: S10
def check_refused_and_unreachable(cli):
    cli.run("device", "update", DEVICE, "--users", "c3")
    refused = cli.json("device", "sync", "--uuid", DEVICE, "--carer", "c1", status=1)
    expect(refused["outcome"] == "refused" and refused["reason"] == "CARER_NOT_A_USER", refused)
    device = ["--uuid", IDLE_DEVICE, "--carer", "c2"]
    cli.run("device", "visits", *device)
    output, error = cli.run("device", "sync", *device, "--server", "127.0.0.1:1", status=1)
    expect("SERVER_UNREACHABLE" in error and "[x] be on the internet, ideally on Wi-Fi" in error, error)
    expect("[ ] stay in the app" in error and "[ ] keep the screen on" in error, error)
    expect(output.splitlines()[-1].endswith("outcome interrupted"), output)
    cli.run("device", "sync", *device)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin-dir", required=True)
    parser.add_argument("--rota", required=True)
    options = parser.parse_args()
    with Server(options.bin_dir) as server:
        cli = server.cli(TENANT)
        # Not the tenant's, so that what is shown in it is seen.
        cli.environment["TZ"] = "Asia/Tokyo"
        check_usage_errors(cli)
        cli.run("tenant", "create", TENANT, "--time-zone", "Europe/Rome")
        check_import(cli, options.rota)
        check_carers(cli)
        check_a_device_without_its_server(cli)
        visit = check_recording(cli)
        check_what_the_rostering_system_reads(cli)
        check_report(cli)
        check_export(cli)
        check_a_carers_history(cli)
        check_mismatches(cli)
        check_explained_visits(cli, visit)
        check_the_delivery_record(cli, visit)
        check_integration_lag(cli)
        check_progress(cli)
        check_a_terminals_tables(cli)
        check_blocking(cli)
        check_following(cli)
        check_following_as_text(cli, options.rota)
        check_visits_that_are_taken_out(cli, options.rota)
        check_refused_and_unreachable(cli)
        print("every command does what it says")


if __name__ == "__main__":
    main()
