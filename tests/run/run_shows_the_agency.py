"""./run as a person uses it, on a data folder of its own: it loads the demonstration agency, its phones sync, Ctrl-C ends all of it in
order, and started again it goes on where it was."""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))

import first_five_minutes  # noqa: E402
from caresync_process import Cli, expect  # noqa: E402

TENANT = "demo"
PATIENCE = 60


def phone(number):
    return f"5e000000-0000-4000-8000-0000000000{number:02}"


def eventually(condition, what):
    """The first thing that `condition` returns and that is not nothing."""
    give_up = time.monotonic() + PATIENCE
    while True:
        result = condition()
        if result:
            return result
        expect(time.monotonic() < give_up, f"waited in vain until {what}")
        time.sleep(0.1)


def open_to_others(folder):
    """The files below it that others than their owner may read."""
    found = []
    for place, _, files in os.walk(folder):
        for path in (os.path.join(place, file) for file in files):
            try:
                if os.stat(path).st_mode & 0o077:
                    found.append(path)
            except FileNotFoundError:  # The store has its files come and go.
                continue
    return found


class Run:
    """./run and all that it starts, from `with` to its end."""

    def __init__(self, root, data_dir):
        self.root = root
        self.data_dir = data_dir
        self.output = ""

    def __enter__(self):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("CARESYNC_")}
        environment |= {"CARESYNC_DATA_DIR": self.data_dir, "CARESYNC_GRPC_LISTEN": "127.0.0.1:0"}
        # A group of its own, as a terminal gives it: Ctrl-C reaches every process of it.
        self.process = subprocess.Popen([os.path.join(self.root, "run")], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, env=environment, start_new_session=True)
        for line in self.process.stdout:
            self.output += line
            if line.startswith("Ctrl-C"):
                break
        address = re.search(r"^  server +(\S+) ", self.output, re.M)
        if address is None:
            self.__exit__()
        expect(address is not None, f"./run does not run:\n{self.output}")
        self.cli = Cli(os.path.join(self.root, "build/release/bin"), address.group(1), self.data_dir, TENANT)
        return self

    def __exit__(self, *_):
        if self.group_is_alive():
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def group_is_alive(self):
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def press_ctrl_c(self):
        """Its exit status, once it has ended and left nothing behind."""
        os.killpg(self.process.pid, signal.SIGINT)
        rest, _ = self.process.communicate(timeout=PATIENCE)
        expect("Stopped." in rest, f"after Ctrl-C: {rest!r}")
        eventually(lambda: not self.group_is_alive(), "./run leaves no process behind")
        return self.process.returncode

    def type_what_it_says(self):
        """The lines that ./run prints to be tried."""
        lines = self.output.split("Try, in another terminal:\n")[1].split("\n\n")[0]
        expect(lines.count("\n") == 4, f"not what is to be tried:\n{lines}")
        terminal = {k: v for k, v in os.environ.items() if not k.startswith("CARESYNC_")}
        done = subprocess.run(["bash", "-ec", lines], capture_output=True, text=True, cwd=self.root, env=terminal,
                              timeout=PATIENCE)
        expect(done.returncode == 0, f"what ./run says to try ends with {done.returncode}:\n{done.stdout}{done.stderr}")
        expect("outcome succeeded" in done.stdout, done.stdout)

    def start_another(self, listen):
        """What a second ./run on the same data folder says, which cannot start."""
        environment = self.cli.environment | {"CARESYNC_GRPC_LISTEN": listen}
        done = subprocess.run([os.path.join(self.root, "run")], capture_output=True, text=True, env=environment,
                              timeout=PATIENCE)
        expect(done.returncode == 1, f"a second ./run ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stderr

    def kill_the_fleet(self):
        """Ends the script of the fleet alone; what ./run says of it."""
        for process in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{process}/cmdline") as words:
                    is_fleet = "demo/fleet" in words.read().split("\0") and os.getpgid(int(process)) == self.process.pid
            except (FileNotFoundError, ProcessLookupError):
                continue
            if is_fleet:
                os.kill(int(process), signal.SIGKILL)
        # The shell has a word of its own of what was killed.
        return next((line for line in self.process.stdout if line.startswith("The fleet")), "nothing")

    def devices(self):
        return {device["device_uuid"]: device for device in self.cli.json("devices")["devices"]}

    def syncs(self, number):
        return self.cli.json("syncs", phone(number), "--most", "1000")["syncs"]

    def fleet_has_been_round(self):
        """The report, once each phone of the fleet is in it as README says; else nothing."""
        report = self.devices()
        if set(report) != {phone(number) for number in range(1, 7)}:
            return None
        synced = all(report[phone(number)]["last_api_call"] == "CALL_STATE_SUCCEEDED" for number in range(1, 6))
        failing = (report[phone(6)]["state"], report[phone(6)]["last_api_call_reason"]) == ("DEVICE_STATE_FAILING",
                                                                                            "CREDENTIAL_EXPIRED")
        return report if synced and failing else None


def expect_nobody_else_reads(data_dir):
    for name in ("store", "keys", "caresyncd.log", "fleet.log"):
        mode = os.stat(os.path.join(data_dir, name)).st_mode & 0o777
        expect(mode & 0o077 == 0, f"others may read {name}: {mode:o}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", required=True)
    root = parser.parse_args().root
    with tempfile.TemporaryDirectory(prefix="caresync-run-") as data_dir:
        with Run(root, data_dir) as run:
            expect("003-rome" in run.output and "rejected 0" in run.output, f"the agency was not loaded:\n{run.output}")
            before = eventually(run.fleet_has_been_round, "every phone of the fleet has called")
            run.type_what_it_says()
            played = first_five_minutes.play(root, run.cli)
            expect(played > 15, f"only {played} lines of the README were typed")
            typed = len(run.syncs(1))
            eventually(lambda: len(run.syncs(1)) > typed and run.syncs(1)[0]["outcome"] == "SYNC_OUTCOME_SUCCEEDED",
                       "a phone of the fleet has what these lines changed")
            carers = run.cli.json("carers")["carers"]
            expect(len(carers) > 20, f"only {len(carers)} carers")
            expect(open_to_others(data_dir) == [], f"others may read {open_to_others(data_dir)}")
            told = run.start_another("127.0.0.1:0")
            expect("The server did not start:\ncaresyncd: " in told and "CARESYNC_DATA_DIR" in told, told)
            with tempfile.TemporaryDirectory(prefix="caresync-run-") as other:
                run.cli.environment["CARESYNC_DATA_DIR"] = other
                told = run.start_another(run.cli.environment["CARESYNC_SERVER"])
                run.cli.environment["CARESYNC_DATA_DIR"] = data_dir
            expect("caresyncd: cannot listen on" in told and "CARESYNC_GRPC_LISTEN" in told, told)
            syncs_before = len(run.syncs(1))
            status = run.press_ctrl_c()
            expect(status == 0, f"./run ended with {status}")
        with Run(root, data_dir) as run:
            expect("it goes on where it was" in run.output, f"the agency was loaded again:\n{run.output}")
            expect(run.cli.json("carers")["carers"] == carers, "the carers are others than before")
            eventually(lambda: len(run.syncs(1)) > syncs_before, "a phone of the fleet syncs again")
            last = run.syncs(1)[0]
            expect(last["upserts_sent"] == 0 and last["rebuild_reason"] == "REBUILD_REASON_UNSPECIFIED",
                   f"the phone did not go on where it was: {last}")
            offline = run.devices()[phone(5)]
            expect(offline == before[phone(5)], f"the phone that is offline has called: {offline}")
            told = run.kill_the_fleet()
            expect(told.startswith("The fleet has ended with status "), f"of a fleet that died it says {told!r}")
            status = run.press_ctrl_c()
            expect(status == 0, f"./run ended with {status} the second time")
        expect_nobody_else_reads(data_dir)
    print("./run shows the agency, stops at Ctrl-C, and goes on where it was")


if __name__ == "__main__":
    main()
