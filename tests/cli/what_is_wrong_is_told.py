"""Arguments, files and outputs that are not what they must be: each is refused by name, and nothing is done by halves."""

import argparse
import json
import os
import signal
import subprocess
import tempfile

from caresync_process import Server, expect
from tls_proxy import TlsProxy
from webhook_receiver import own_certificate

TENANT = "agency"
DATE = "2026-11-21"
DEVICE = "5e000000-0000-4000-8000-000000000001"


OTHER_TENANT = "other"


def usage(cli, *arguments):
    """What a command that was used wrongly says of it, in both forms."""
    _, error = cli.run(*arguments, status=2)
    told = cli.json(*arguments, status=2)
    expect(told["error"]["reason"] == "USAGE" and error != "", f"{arguments}: {told}, {error!r}")
    return told["error"]["message"]


def users_of(cli):
    return [user["carer_id"] for user in cli.json("device", "show", DEVICE)["users"] if user["is_user"]]


def check_import(cli, rota):
    """What was taken is counted, and the status says whether all was."""
    told = cli.json("import-rota", rota, "--any-date", "--date", DATE)
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
        told = cli.json("import-rota", changed, "--any-date", "--date", "2026-11-22", status=1)
        visit = f"{agency['name']}/2026-11-22/{visited}"
        expect([change["external_id"] for change in told["rejected"]] == [visit] and told["rejected"][0]["reason"], told)
        expect(told["created"] + told["unchanged"] + 1 == told["answered"] == told["changes"], told)
        # Of files that were not even tried, each is told.
        lines = cli.json_lines("import-rota", rota, changed, "--any-date", "--date", DATE, "--time-zone", "UTC", "--server",
                               "127.0.0.1:1", status=1)
        expect([(line["file"], line["error"]["reason"]) for line in lines] ==
               [(rota, "SERVER_UNREACHABLE"), (changed, "FILE_NOT_IMPORTED")], lines)
    # The same rota of a source that may not send it is refused whole, change by change or at once.
    output, error = cli.run("import-rota", rota, "--any-date", "--date", DATE, "--source", "Not A Source", status=1)
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
                      ["waiting-changes", "--source", ""],
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


def check_addresses(cli):
    """gRPC would call another port, or look the text up as a name."""
    for address in ("127.0.0.1:99999", "127.0.0.1", "http://127.0.0.1:27443", "127.0.0.1:0", "127.0.0.1:port"):
        message = usage(cli, "devices", "--server", address)
        expect("--server" in message and address in message and "HOST:PORT" in message, message)


def check_whose_token(cli, other):
    """A token acts in its own tenant, whatever else is said: so nothing else may be said."""
    carer = cli.json("carers", "--search", "003-rome/c1")["carers"][0]["carer_id"]
    tokens = {of.environment["CARESYNC_TENANT"]: of.json("token", "--role", "administrator")["token"] for of in (cli, other)}
    other.run("device", "update", DEVICE, "--enrol")
    cli.run("device", "update", DEVICE, "--users", "c1")
    message = usage(cli, "--token", tokens[OTHER_TENANT], "device", "block", DEVICE)
    expect("CARESYNC_TENANT" in message and TENANT in message and OTHER_TENANT in message and "unset" in message, message)
    try:
        del cli.environment["CARESYNC_TENANT"]
        message = usage(cli, "--tenant", TENANT, "--token", tokens[OTHER_TENANT], "device", "block", DEVICE)
        expect(f"--tenant says {TENANT}" in message and f"tenant {OTHER_TENANT}" in message, message)
        # Where only the token says it, that is the tenant.
        cli.run("devices", "--token", tokens[TENANT])
        expect(cli.json("notifications", "list", "--token", tokens[TENANT]) == {"settings": []}, "somebody is told")
        token = cli.json("token", "--tenant", TENANT, "--role", "carer", "--subject", carer, "--device", DEVICE)["token"]
        end = cli.json("device", "sync", "--uuid", DEVICE, "--carer", carer, "--token", token)
        expect(end["outcome"] == "succeeded", end)
        message = usage(cli, "device", "visits", "--uuid", DEVICE, "--carer", carer)
        expect("--tenant" in message, message)
    finally:
        cli.environment["CARESYNC_TENANT"] = TENANT
    expect(not other.json("device", "show", DEVICE).get("blocked"), "the other agency's phone was blocked")


def check_a_rostering_systems_token(cli, rota):
    token = cli.json("token", "--role", "rostering", "--subject", "rota-import")["token"]
    for command in (["care-events"], ["import-rota", rota, "--any-date", "--date", DATE, "--time-zone", "UTC"]):
        message = usage(cli, *command, "--token", token, "--source", "other-source")
        expect("other-source" in message and "rota-import" in message, message)
    # It may not read the tenant's zone.
    message = usage(cli, "import-rota", rota, "--any-date", "--date", DATE, "--token", token)
    expect("--time-zone" in message, message)
    told = cli.json("import-rota", rota, "--any-date", "--date", DATE, "--token", token, "--time-zone", "UTC")
    expect(told["rejected"] == [] and told["answered"] == told["changes"], told)
    _, error = cli.run("care-events", "--token", token)
    expect("UTC" in error, f"the times are not the tenant's, and that is not told: {error!r}")
    _, error = cli.run("care-events")
    expect(error == "", error)


def check_days(cli, rota):
    """A year of two digits is the year 26."""
    for day in ("26-11-21", "2026-11-21 ", "2026-1-21", "2026-11-21T07", "12026-11-21", "today"):
        expect("--date" in usage(cli, "import-rota", rota, "--date", day), day)
    for day in ("1926-11-21", "2126-11-21"):
        expect("--any-date" in usage(cli, "import-rota", rota, "--date", day), day)
    for command in (["deliveries", "--from"], ["deliveries", "--to"], ["device-view", DEVICE, "--at"],
                    ["mismatches", "--changed-from"], ["mismatches", "--changed-until"]):
        for time in ("26-11-21T07:02:00Z", "infinite-future", "2026-11-21"):
            expect(command[-1] in usage(cli, *command, time), (command, time))


def check_text(cli):
    """Texts are UTF-8, and names steer no terminal."""
    for named, arguments in (("--name", ["tenant", "set", TENANT, "--name", b"Caf\xe9"]),
                             ("--search", ["devices", "--search", b"\xff"]), ("UUID", ["device", "show", b"\xff"])):
        message = usage(cli, *arguments)
        expect(named in message and "UTF-8" in message, message)
        _, error = cli.run(*arguments, status=2)
        expect("libprotobuf" not in error, error)
    for name in ("An\nAgency", "\x1b[2J"):
        told = cli.json("tenant", "set", TENANT, "--name", name, status=1)
        expect(told["error"]["reason"] == "INVALID_FIELD" and "display_name" in told["error"]["message"], told)


def check_unknown_names(cli, rota):
    unknown = DEVICE[:-1] + "9"
    told = cli.json("deliveries", "--device", unknown, status=1)
    expect(told["error"]["reason"] == "DEVICE_UNKNOWN", told)
    output, _ = cli.run("--version")
    expect(output == "caresync 0.1.0\n", output)
    # Two rostering systems name a branch alike.
    cli.run("tenant", "create", "twice")
    for source in ("one-source", "another-source"):
        cli.run("import-rota", rota, "--any-date", "--date", DATE, "--source", source, "--tenant", "twice")
    carers = cli.json("carers", "--tenant", "twice")["carers"]
    branches = {carer["branch_id"]: carer["source"] for carer in carers}
    expect(len(branches) == 2, branches)
    told = cli.json("devices", "--branch", carers[0]["branch_name"], "--tenant", "twice", status=1)["error"]
    expect(told["reason"] == "BRANCH_AMBIGUOUS", told)
    expect(all(name in told["message"] for branch in branches.items() for name in branch), told)
    cli.run("devices", "--branch", carers[0]["branch_id"], "--tenant", "twice")


def check_tls(cli, server):
    """A credential goes to another machine by TLS, or where somebody says that it may go without."""
    away = "sync.example.invalid:7443"
    for command in (["devices"], ["device", "sync", "--uuid", DEVICE, "--carer", "c1"],
                    ["care-events", "--token", cli.json("token", "--role", "rostering")["token"]]):
        message = usage(cli, *command, "--server", away)
        expect("--tls" in message and "--plaintext" in message and away in message, message)
    usage(cli, "devices", "--tls", "--plaintext")
    with tempfile.TemporaryDirectory() as folder:
        certificate = own_certificate(folder)
        with TlsProxy(certificate, server.address) as proxy:
            by_tls = ["devices", "--server", proxy.address]
            trusted = cli.json(*by_tls, "--tls-ca", certificate + ".public")
            expect([device["device_uuid"] for device in trusted["devices"]] == [DEVICE], trusted)
            # The system does not know this one.
            told = cli.json(*by_tls, "--tls", status=1)
            expect(told["error"]["reason"] == "SERVER_UNREACHABLE", told)
            told = cli.json(*by_tls, status=1)
            expect(told["error"]["reason"] == "SERVER_UNREACHABLE", told)
            for wrong in (os.path.join(folder, "none"), __file__):
                told = cli.json(*by_tls, "--tls-ca", wrong, status=1)
                expect(told["error"]["reason"] == "FILE_NOT_READABLE" and wrong in told["error"]["message"], told)


def check_files(cli):
    """What is no file, or has no end, is refused at once; a device is not replaced by a report."""
    with tempfile.TemporaryDirectory() as folder:
        pipe, large = os.path.join(folder, "pipe"), os.path.join(folder, "large")
        os.mkfifo(pipe)
        with open(large, "w") as file:
            file.truncate(1 << 30)
        for path, reason in ((folder, "FILE_NOT_READABLE"), (pipe, "FILE_NOT_READABLE"), ("/dev/zero", "FILE_NOT_READABLE"),
                             (os.path.join(folder, "none"), "FILE_NOT_READABLE"), (large, "FILE_TOO_LARGE")):
            told = cli.json("import-rota", path, "--any-date", "--date", DATE, status=1)
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
                ["deliveries", "--visit", visit], ["waiting-changes"], ["device-view", DEVICE], ["devices", "--csv", "-"], ["devices", "--json"], ["carers"], ["tenant", "list"], ["--help"],
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
        cli.run("import-rota", options.rota, "--any-date", "--date", DATE)
        cli.run("device", "update", DEVICE, "--enrol", "--users", "c1")
        check_import(cli, options.rota)
        check_empty_arguments(cli)
        check_files(cli)
        check_addresses(cli)
        other = server.cli(OTHER_TENANT)
        other.run("tenant", "create", OTHER_TENANT)
        check_whose_token(cli, other)
        check_a_rostering_systems_token(cli, options.rota)
        check_days(cli, options.rota)
        check_text(cli)
        check_unknown_names(cli, options.rota)
        check_tls(cli, server)
        check_tokens_and_notes(cli)
        check_outputs(cli)
        print("what is wrong is told by name")


if __name__ == "__main__":
    main()
