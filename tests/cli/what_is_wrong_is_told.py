"""Arguments, files and outputs that are not what they must be: each is refused by name, and nothing is done by halves."""

import argparse
import json
import os
import signal
import subprocess
import tempfile

from caresync_process import Server, expect

TENANT = "agency"
DATE = "2026-11-21"
DEVICE = "5e000000-0000-4000-8000-000000000001"


def users_of(cli):
    return [user["carer_id"] for user in cli.json("device", "show", DEVICE)["users"] if user["is_user"]]


def check_import(cli, rota):
    """What was taken is counted, and the status says whether all was."""
    told = cli.json("import-rota", rota, "--date", DATE)
    expect(told["answered"] == told["changes"] == told["unchanged"] > 90, told)
    with open(rota) as file:
        agency = json.load(file)
    visited = next(route for route in agency["routes"] if route.get("locations"))["locations"][0]["patient"]
    patient = next(patient for patient in agency["patients"] if patient["id"] == visited)
    # More activities than a visit may have.
    patient["required_caregivers"] = patient["required_caregivers"][:1] * 201
    with tempfile.TemporaryDirectory() as folder:
        changed = os.path.join(folder, "rota.json")
        with open(changed, "w") as file:
            json.dump(agency, file)
        told = cli.json("import-rota", changed, "--date", "2026-11-22", status=1)
        visit = f"{agency['name']}/2026-11-22/{visited}"
        expect([change["external_id"] for change in told["rejected"]] == [visit] and told["rejected"][0]["reason"], told)
        expect(told["created"] + told["unchanged"] + 1 == told["answered"] == told["changes"], told)
        # Of files that were not even tried, each is told.
        lines = cli.json_lines("import-rota", rota, changed, "--date", DATE, "--time-zone", "UTC", "--server",
                               "127.0.0.1:1", status=1)
        expect([(line["file"], line["error"]["reason"]) for line in lines] ==
               [(rota, "SERVER_UNREACHABLE"), (changed, "FILE_NOT_IMPORTED")], lines)
    # The same rota of a source that may not send it is refused whole, change by change or at once.
    output, error = cli.run("import-rota", rota, "--date", DATE, "--source", "Not A Source", status=1)
    expect("created" not in output and error != "", (output, error))


def check_empty_arguments(cli):
    """What a script gives where a variable was never set says neither "all" nor "nobody"."""
    users = users_of(cli)
    expect(len(users) == 1, users)
    as_device = ["--uuid", DEVICE, "--carer", "c1"]
    for arguments in (["device", "users", DEVICE, ""], ["device", "users", DEVICE, "c1", " "],
                      ["device", "update", DEVICE, "--users", "c1,,c2"], ["device", "update", DEVICE, "--users", ","],
                      ["devices", "--carer", ""], ["devices", "--branch", ""], ["devices", "--state", ""],
                      ["devices", "--csv", ""], ["syncs", "--carer", ""], ["syncs", ""], ["devices", "--token", ""],
                      ["mismatches", "--carer", ""], ["mismatches", "--branch", ""],
                      ["explain-visit", "--carer", "", "--visit", DEVICE], ["explain-visit", "--carer", "c1", "--visit", ""],
                      ["deliveries", "--visit", ""], ["deliveries", "--carer", ""], ["device-view", ""], ["device-view", DEVICE, "--at", ""],
                      ["mismatches", "--changed-from", ""], ["mismatches", "--changed-until", ""],
                      ["devices", "--tenant", ""], ["device", "finish-visit", *as_device, ""],
                      ["device", "visits", *as_device, "--state-dir", ""], ["care-events", "--source", ""],
                      ["care-events", "--token-file", ""], ["token", "--role", "support", "--subject", ""],
                      ["check-client", "--device-command", ""]):
        told = cli.json(*arguments, status=2)
        expect(told["error"]["reason"] == "USAGE" and "empty" in told["error"]["message"], f"{arguments}: {told}")
    expect(users_of(cli) == users, f"the device lost its user: {users_of(cli)}")
    cli.run("device", "update", DEVICE, "--users", "")
    expect(users_of(cli) == [], f"--users \"\" is nobody: {users_of(cli)}")


def check_files(cli):
    """What is no file, or has no end, is refused at once; a device is not replaced by a report."""
    with tempfile.TemporaryDirectory() as folder:
        pipe, large = os.path.join(folder, "pipe"), os.path.join(folder, "large")
        os.mkfifo(pipe)
        with open(large, "w") as file:
            file.truncate(1 << 30)
        for path, reason in ((folder, "FILE_NOT_READABLE"), (pipe, "FILE_NOT_READABLE"), ("/dev/zero", "FILE_NOT_READABLE"),
                             (os.path.join(folder, "none"), "FILE_NOT_READABLE"), (large, "FILE_TOO_LARGE")):
            told = cli.json("import-rota", path, "--date", DATE, status=1)
            expect(told["error"]["reason"] == reason and path in told["error"]["message"], told)
        for path, reason in ((pipe, "FILE_NOT_READABLE"), (large, "FILE_TOO_LARGE")):
            told = cli.json("care-events", "--token-file", path, status=1)
            expect(told["error"]["reason"] == reason and path in told["error"]["message"], told)
        device = os.path.join(folder, "device")
        os.symlink("/dev/null", device)
        told = cli.json("devices", "--csv", device, status=1)
        expect(told["error"]["reason"] == "FILE_NOT_WRITABLE" and os.path.islink(device), told)


def check_tokens_and_notes(cli):
    """They are looked at before any call."""
    token = cli.json("token", "--role", "administrator")["token"]
    cli.run("devices", "--token", token)
    for wrong in (token + "\n", token + " ", f"{token}\n{token}", "x" * 5000):
        told = cli.json("devices", "--token", wrong, status=2)
        expect(told["error"]["reason"] == "USAGE" and token not in told["error"]["message"], told)
    cli.environment["CARESYNC_TOKEN"] = token + "\n"
    told = cli.json("devices", status=2)
    expect("line break" in told["error"]["message"], told)
    del cli.environment["CARESYNC_TOKEN"]

    with tempfile.TemporaryDirectory() as folder:
        place = os.path.join(folder, "place")
        with open(place, "w"):
            pass
        told = cli.json("care-events", "--token-file", place, status=1)
        expect(told["error"]["reason"] == "FILE_NOT_READABLE" and "empty" in told["error"]["message"], told)

    device = ["--uuid", DEVICE, "--carer", "c1"]
    cli.run("device", "update", DEVICE, "--users", "c1")
    cli.run("device", "sync", *device)
    visit = cli.json("device", "visits", *device)["visits"][0]["visit_id"]
    for wrong in ("", " ", "Had breakfast\n", "\x1b[2J", "x" * 8001):
        told = cli.json("device", "note", *device, visit, wrong, status=2)
        expect(told["error"]["reason"] == "USAGE" and "TEXT" in told["error"]["message"], told)
    expect(cli.json("device", "visits", *device)["unsent_events"] == 0, "a note that is none was recorded")


def told_without_output(cli, output, *arguments):
    """How a command ends whose output goes to `output`, and what it says of it."""
    done = subprocess.run([cli.program, *arguments], stdout=output, stderr=subprocess.PIPE, text=True,
                          env=cli.environment, timeout=60)
    return done.returncode, done.stderr


def check_outputs(cli):
    """Where the output goes nowhere, that is told, and what did not come out is not taken for read."""
    device = ["--uuid", DEVICE, "--carer", "c1"]
    visit = cli.json("device", "visits", *device)["visits"][0]["visit_id"]
    cli.run("device", "note", *device, visit, "Had breakfast")
    cli.run("device", "sync", *device)
    commands = (["devices"], ["mismatches"], ["explain-visit", "--carer", "c1", "--visit", visit],
                ["deliveries", "--visit", visit], ["device-view", DEVICE], ["devices", "--csv", "-"], ["devices", "--json"], ["carers"], ["tenant", "list"], ["--help"],
                ["device", "visits", *device], ["device", "sync", *device], ["token", "--role", "administrator"],
                ["care-events"], ["check-client", "--list"])
    with open("/dev/full", "w") as full:
        for command in commands:
            status, error = told_without_output(cli, full, *command)
            expect(status == (2 if command[0] == "check-client" else 1), f"{command} on a full disk: status {status}")
            expect(error.count("OUTPUT_NOT_WRITABLE") == 1, f"{command} on a full disk says {error!r}")
    for command in commands:
        nobody, pipe = os.pipe()
        os.close(nobody)
        status, error = told_without_output(cli, pipe, *command)
        os.close(pipe)
        expect(status == (2 if command[0] == "check-client" else 128 + signal.SIGPIPE) and error == "",
               f"{command} that nobody reads: status {status}, {error!r}")

    with tempfile.TemporaryDirectory() as folder, open("/dev/full", "w") as full:
        place = os.path.join(folder, "place")
        status, _ = told_without_output(cli, full, "care-events", "--token-file", place)
        expect(status == 1 and not os.path.exists(place), "events that came to nobody count as read")
        expect(len(cli.json_lines("care-events", "--token-file", place)) == 1, "the event did not come")
        status, error = told_without_output(cli, full, "device", "sync", *device, "--follow", "--json")
        expect(status == 1 and "OUTPUT_NOT_WRITABLE" in error, f"a follower on a full disk: {status}, {error!r}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin-dir", required=True)
    parser.add_argument("--rota", required=True)
    options = parser.parse_args()
    with Server(options.bin_dir) as server:
        cli = server.cli(TENANT)
        cli.run("tenant", "create", TENANT)
        cli.run("import-rota", options.rota, "--date", DATE)
        cli.run("device", "update", DEVICE, "--enrol", "--users", "c1")
        check_import(cli, options.rota)
        check_empty_arguments(cli)
        check_files(cli)
        check_tokens_and_notes(cli)
        check_outputs(cli)
        print("what is wrong is told by name")


if __name__ == "__main__":
    main()
