"""A backup takes the place of the data directory: the device waits, sends its events again, and makes a new copy."""

import argparse
import os
import shutil
import tempfile
import uuid

from caresync_process import Server, expect

TENANT = "restored"
DATE = "2026-11-21"
CARER = "003-rome/c1"
# The time after the waiting over which devices are spread, in seconds.
SPREAD = 900


def first_in_place():
    """The UUID of a device whose place is the very moment at which the waiting ends."""
    while True:
        device = uuid.uuid4()
        if int.from_bytes(device.bytes[8:], "little") % SPREAD == 0:
            return str(device)


class Device:
    """A device in the terminal, which keeps what it holds outside the server's data directory."""

    def __init__(self, folder):
        self.options = ["--uuid", first_in_place(), "--carer", CARER, "--state-dir", os.path.join(folder, "phone")]

    def sync(self, cli, *options, status=0):
        return cli.json_lines("device", "sync", *self.options, *options, status=status)

    def note(self, cli):
        visit = self.visits(cli)[0]["visit_id"]
        return cli.json("device", "note", *self.options, visit, "ate well")["event_id"]

    def visits(self, cli):
        return cli.json("device", "visits", *self.options)["visits"]


def started(lines):
    return next(line for line in lines if line["event"] == "started")


def results(lines):
    return {line["event_id"]: line["outcome"] for line in lines if line.get("event") == "result"}


def held_events(lines):
    return {u["record_id"] for line in lines if line.get("event") == "batch" for u in line["upserts"]
            if u["kind"] == "care event"}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin-dir", required=True)
    parser.add_argument("--rota", required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Server(options.bin_dir) as server:
        cli = server.cli(TENANT)
        cli.run("tenant", "create", TENANT)
        cli.json("import-rota", options.rota, "--any-date", "--date", DATE)
        device = Device(folder)
        device.sync(cli)
        kept = device.note(cli)
        device.sync(cli)

        server.halt()
        backup = os.path.join(folder, "backup")
        shutil.copytree(server.data_dir, backup)
        server.start()
        cli = server.cli(TENANT)
        lost = device.note(cli)
        device.sync(cli)
        before = device.visits(cli)

        server.halt()
        shutil.rmtree(server.data_dir)
        shutil.move(backup, server.data_dir)
        server.start()
        cli = server.cli(TENANT)
        lines = device.sync(cli, status=1)
        expect(lines[-1]["outcome"] == "waiting" and lines[-1]["reason"] == "WAITING_AFTER_RESTORE", lines[-1])
        expect(started(lines)["waiting"] and started(lines)["resend_events"], started(lines))
        expect(results(lines) == {kept: "known", lost: "accepted"}, f"the events that came again: {results(lines)}")
        expect(device.visits(cli) == before, "the copy in use was touched")

        # This source never says what it has seen, so its replay ends nothing.
        cli.json("import-rota", options.rota, "--any-date", "--date", DATE)
        lines = device.sync(cli, "--clean", status=1)
        expect(lines[-1]["outcome"] == "waiting", lines[-1])
        expect(not started(lines)["resend_events"], "the device is asked again for what it has sent")

        shown, _ = cli.run("tenant", "show", TENANT)
        expect("devices wait for the rota to be sent again, until" in shown, shown)
        expect(cli.json("tenant", "show", TENANT)["restore_progress"]["waiting"], "machines are not told that they wait")
        released, _ = cli.run("tenant", "release-rebuilds", TENANT)
        expect("they come back by " in released and "each at its own time" in released, released)
        again = cli.json("tenant", "release-rebuilds", TENANT)
        expect(again["release_time"] < again["last_return_time"], again)
        shown, _ = cli.run("tenant", "show", TENANT)
        expect("devices come back, each at a time of its own, until" in shown, shown)
        with open(os.path.join(server.data_dir, "caresyncd.log")) as log:
            told = log.read()
        expect(f"restore_shown tenant={TENANT} " in told and f"rebuilds_released tenant={TENANT} " in told, told)
        lines = device.sync(cli)
        expect([line["reason"] for line in lines if line.get("event") == "rebuild"] == ["foreign"], lines)
        expect(held_events(lines) == {kept, lost}, f"an event is not there: {held_events(lines)}")
        expect(device.visits(cli) == before, "the new copy shows another day")
        print("the device waited, sent its events again, and made a new copy")


if __name__ == "__main__":
    main()
