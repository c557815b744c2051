"""Arguments, files and outputs that are not what they must be: each is refused by name, and nothing is done by halves."""

import argparse
import os
import tempfile

from caresync_process import Server, expect

TENANT = "agency"
DATE = "2026-11-21"
DEVICE = "5e000000-0000-4000-8000-000000000001"


def users_of(cli):
    return [user["carer_id"] for user in cli.json("device", "show", DEVICE)["users"] if user["is_user"]]


def check_empty_arguments(cli):
    """What a script gives where a variable was never set says neither "all" nor "nobody"."""
    users = users_of(cli)
    expect(len(users) == 1, users)
    as_device = ["--uuid", DEVICE, "--carer", "c1"]
    for arguments in (["device", "users", DEVICE, ""], ["device", "users", DEVICE, "c1", " "],
                      ["device", "update", DEVICE, "--users", "c1,,c2"], ["device", "update", DEVICE, "--users", ","],
                      ["devices", "--carer", ""], ["devices", "--branch", ""], ["devices", "--state", ""],
                      ["devices", "--csv", ""], ["syncs", "--carer", ""], ["syncs", ""], ["devices", "--token", ""],
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
        check_empty_arguments(cli)
        check_files(cli)
        check_tokens_and_notes(cli)
        print("what is wrong is told by name")


if __name__ == "__main__":
    main()
