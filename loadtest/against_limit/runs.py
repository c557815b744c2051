"""Runs fleetload: the same devices on caresyncd and on caresync-limit in turn, each server on one core, the fleet on another."""

import json
import os
import shutil
import signal
import subprocess
import time


class RunFailed(Exception):
    """A run ended with faults, or did not start; says what it said."""


# What can be measured by itself: something follows from each.
SCENARIOS = ("empty", "delta", "clean", "idle", "follow", "ingest")
# What is made only to compare another scenario with.
OF_ANOTHER = {"store": "ingest"}
# The run of "store" that writes the rows of the run of "ingest" before it.
ROWS = "limit/rows"


class Runner:
    """Starts one run after the other. `arguments` are of every run; the files of the runs go to `directory`."""

    def __init__(self, bin_dir, directory, arguments):
        self.program = os.path.join(bin_dir, "fleetload")
        self.directory = directory
        self.arguments = arguments

    def run(self, scenario, devices, *arguments):
        """What the run has measured."""
        file = os.path.join(self.directory, "figures.json")
        command = [self.program, "--scenario", scenario, "--devices", str(devices), "--json", file, *self.arguments,
                   *arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True)
        except OSError as error:
            raise RunFailed(f"{self.program}: {error.strerror}; build it, or name its directory with --bin-dir") from error
        if done.returncode != 0:
            raise RunFailed(f"{' '.join(command)}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")
        with open(file) as stream:
            return json.load(stream)


def steps(options, dialogues, data_dir):
    """The runs of one repetition in their order: name, scenario, devices, further arguments. What is compared is neighbours.
    `data_dir` is new: what ingest writes there is then written once more by RocksDB alone."""
    limit = ("--limit", dialogues)
    return (
        ("limit/empty", "empty", options.devices, limit),
        ("ours/empty", "empty", options.devices, ()),
        ("ours/delta", "delta", options.devices,
         ("--moves", str(options.moves), "--stored-records", str(options.stored_records))),
        ("limit/clean", "clean", options.devices, limit),
        ("ours/clean", "clean", options.devices, ()),
        ("limit/idle", "idle", options.following, limit),
        ("ours/idle", "idle", options.following, ()),
        ("ours/follow", "follow", options.following, ()),
        ("limit/store", "store", options.devices, ()),
        ("limit/ingest", "ingest", options.devices, limit),
        ("ours/ingest", "ingest", options.devices, ("--data-dir", data_dir)),
        (ROWS, "store", options.devices, ("--commits-of", data_dir)),
    )


def start_once(bin_dir, data_dir, core):
    """Starts caresyncd on what it kept, and stops it; as a run whose phase tells the seconds until it listened."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CARESYNC_")}
    with open(os.path.join(data_dir, "start.log"), "w") as log:
        began = time.monotonic()
        process = subprocess.Popen([os.path.join(bin_dir, "caresyncd"), "--data-dir", data_dir, "--grpc-listen", "127.0.0.1:0"],
                                   stdout=subprocess.PIPE, stderr=log, text=True, env=environment,
                                   preexec_fn=lambda: os.sched_setaffinity(0, {core}))
        listening = process.stdout.readline()
        seconds = time.monotonic() - began
        process.send_signal(signal.SIGTERM)
        process.wait()
        process.stdout.close()
    if "listening on" not in listening:
        with open(log.name) as lines:
            raise RunFailed(f"caresyncd did not start on {data_dir}: {lines.read()}")
    return {"scenario": "start", "phases": [{"name": "start", "seconds": seconds, "series": {}}]}


def wanted(scenario, options):
    return not options.only or OF_ANOTHER.get(scenario, scenario) in options.only


def measure(runner, options, tell, repetitions):
    """Adds the repetitions, each a dict from a run's name to what it measured: at once, so that what was measured is there
    where a later run fails. `tell` is called before each run."""
    dialogues = os.path.join(runner.directory, "dialogues")
    tell("what caresyncd says is written down")
    runner.run("record", max(options.devices, options.following), "--dialogues", dialogues)
    for repetition in range(options.repetitions):
        runs = {}
        repetitions.append(runs)
        data_dir = os.path.join(runner.directory, "ingest")
        for name, scenario, devices, arguments in steps(options, dialogues, data_dir):
            if not wanted(scenario, options):
                continue
            tell(f"repetition {repetition + 1} of {options.repetitions}: {name}")
            runs[name] = runner.run(scenario, devices, *arguments)
        shutil.rmtree(data_dir, ignore_errors=True)
    if options.registered:
        measure_starts(runner, options, tell, repetitions)


def measure_starts(runner, options, tell, repetitions):
    """Adds a start on a store with --registered devices to every repetition: the first finds the log of the registrations, which
    is read and put in tables; the others find these."""
    data_dir = os.path.join(runner.directory, "registered")
    tell(f"{options.registered} devices are registered")
    runner.run("register", options.devices, "--registered", str(options.registered), "--data-dir", data_dir)
    for number, runs in enumerate(repetitions, 1):
        tell(f"repetition {number} of {options.repetitions}: ours/start")
        runs["ours/start"] = start_once(options.bin_dir, data_dir, options.server_core)
