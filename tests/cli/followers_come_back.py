"""`care-events --follow`, `mismatches --follow` and `device sync --follow` outlive their server: crashed or stopped and started again on the same address, they go on
where they were, say once what happened, and show everything once."""

import argparse
import json
import os
import signal
import subprocess
import tempfile

from caresync_process import Server, expect

TENANT = "agency"
DATE = "2026-11-21"
RECORDER = ["--uuid", "5e000000-0000-4000-8000-000000000001", "--carer", "c1"]
FOLLOWER = ["--uuid", "5e000000-0000-4000-8000-000000000002", "--carer", "c1"]


class Following:
    """A command that follows, and what it says on its standard error."""

    def __init__(self, cli, folder, *arguments):
        self.errors = os.path.join(folder, arguments[0])
        with open(self.errors, "w") as errors:
            self.process = subprocess.Popen([cli.program, *arguments, "--follow", "--json"], stdout=subprocess.PIPE,
                                            stderr=errors, text=True, env=cli.environment)

    def next(self, is_it):
        """The next object that is it, and those before it."""
        passed = []
        for line in self.process.stdout:
            told = json.loads(line)
            if is_it(told):
                return told, passed
            passed.append(told)
        raise AssertionError(f"it ended: {self.told()}")

    def told(self):
        with open(self.errors) as errors:
            return errors.read()

    def end(self):
        self.process.send_signal(signal.SIGINT)
        rest = [json.loads(line) for line in self.process.stdout]
        return self.process.wait(timeout=60), rest


def record(cli, visit, text):
    """A note that the server has; its event ID."""
    event = cli.json("device", "note", *RECORDER, visit, text)["event_id"]
    cli.run("device", "sync", *RECORDER)
    return event


def is_recorded(told):
    return told.get("event") == "sync_recorded"


def next_told(mismatches):
    """There are none: where a stream begins it says so, and nothing else."""
    told, passed = mismatches.next(lambda told: told["caught_up"])
    expect(told == {"mismatches": [], "caught_up": True, "restarted": False} and passed == [], f"{passed}, {told}")


def check_one(server, cli, visit, events, device, mismatches, number):
    """The server goes away, by a crash where `number` is odd, and comes back; what is recorded then comes to both."""
    if number % 2:
        server.crash()
    else:
        server.halt()
    server.start(server.address)
    # Once it is there again, and before anything is new: the follower's copy is confirmed.
    _, passed = device.next(is_recorded)
    expect(all(told.get("event") != "batch" for told in passed), f"records came again: {passed}")
    event = record(cli, visit, f"note {number}")
    told, passed = events.next(lambda told: "event_id" in told)
    expect(told["event_id"] == event and passed == [], f"not {event} alone: {passed}, {told}")
    batch, _ = device.next(lambda told: told.get("event") == "batch")
    expect([upsert["record_id"] for upsert in batch["upserts"]] == [event], batch)
    device.next(is_recorded)
    next_told(mismatches)
    for following in (events, device, mismatches):
        said = following.told()
        expect(said.count("It goes on where it was") == number, f"after {number} times it has said {said!r}")


def check_typing_errors(cli):
    """A server that was never there is not waited for."""
    for command in (["care-events"], ["mismatches"], ["device", "sync", *FOLLOWER]):
        told = cli.json(*command, "--follow", "--server", "127.0.0.1:1", status=1)
        expect("SERVER_UNREACHABLE" in json.dumps(told), told)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin-dir", required=True)
    parser.add_argument("--rota", required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Server(options.bin_dir) as server:
        cli = server.cli(TENANT)
        cli.run("tenant", "create", TENANT)
        cli.run("import-rota", options.rota, "--any-date", "--date", DATE)
        for device in (RECORDER, FOLLOWER):
            cli.run("device", "sync", *device)
        check_typing_errors(cli)
        visit = cli.json("device", "visits", *RECORDER)["visits"][0]["visit_id"]
        first = record(cli, visit, "note 0")
        events = Following(cli, folder, "care-events")
        device = Following(cli, folder, "device", "sync", *FOLLOWER)
        mismatches = Following(cli, folder, "mismatches")
        try:
            told, _ = events.next(lambda told: "event_id" in told)
            expect(told["event_id"] == first, told)
            device.next(is_recorded)
            next_told(mismatches)
            for number in (1, 2):
                check_one(server, cli, visit, events, device, mismatches, number)
            status, rest = device.end()
            expect(status == 0 and rest[-1]["outcome"] == "succeeded", (status, rest))
            _, rest = events.end()
            expect(rest == [], f"events came twice: {rest}")
            mismatches.end()
        finally:
            for following in (events, device, mismatches):
                following.process.kill()
                following.process.wait()
    print("what follows comes back, with everything once")


if __name__ == "__main__":
    main()
