"""Runs fleetload with --json, and reads what it wrote: throughput, percentiles, the server's processor time and memory."""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))

from caresync_process import Server, expect  # noqa: E402

SERVER_FIGURES = ("server_cpu_seconds", "server_rss_bytes", "server_peak_rss_bytes")


class Fleet:
    def __init__(self, bin_dir, rota, directory):
        self.program = os.path.join(bin_dir, "fleetload")
        self.rota = rota
        self.file = os.path.join(directory, "figures.json")

    def run(self, *arguments, status=0, devices=10, timeout=200):
        """What the run wrote to its file."""
        done = subprocess.run([self.program, "--devices", str(devices), "--rota", self.rota, "--json", self.file, *arguments],
                              capture_output=True, text=True, timeout=timeout)
        expect(done.returncode == status, f"fleetload {arguments}: status {done.returncode}\n{done.stdout}{done.stderr}")
        with open(self.file) as file:
            return json.load(file)

    def refuses(self, *arguments):
        """What it says to options that do not go together."""
        done = subprocess.run([self.program, *arguments], capture_output=True, text=True, timeout=60)
        expect(done.returncode == 2, f"fleetload {arguments}: status {done.returncode}")
        return done.stderr


def phase_of(figures, name):
    return next(phase for phase in figures["phases"] if phase["name"] == name)


def expect_series(phase, name):
    series = phase["series"][name]
    expect(series["count"] > 0, f"{phase['name']} has no {name}")
    expect(abs(series["per_second"] * phase["seconds"] - series["count"]) < 0.01 * series["count"],
           f"throughput is not the count by the time: {series} in {phase['seconds']} s")
    expect(0 < series["p50_us"] <= series["p90_us"] <= series["p99_us"], f"percentiles in another order: {series}")
    # A percentile is at most 1/64 above the truth.
    expect(series["p99_us"] <= series["max_us"] * 65 / 64 + 1, f"99 in a hundred are slower than the slowest: {series}")


def a_server_of_its_own(fleet):
    core = str(min(os.sched_getaffinity(0)))
    figures = fleet.run("--scenario", "delta", "--duration", "1", "--server-core", core, "--fleet-core", core)
    expect_series(phase_of(figures, "first copies"), "standard sync")
    expect_series(phase_of(figures, "delta"), "standard sync")
    for phase in figures["phases"]:
        expect(phase["server_rss_bytes"] > 1_000_000, f"the server's memory: {phase}")
        expect(phase["server_peak_rss_bytes"] >= phase["server_rss_bytes"], f"the most is less than what is: {phase}")
    expect(sum(phase["server_cpu_seconds"] for phase in figures["phases"]) > 0, "the server took no processor time")
    expect(figures["faults"] == 0, f"faults: {figures['faults_told']}")


def a_server_that_runs(fleet, bin_dir):
    with Server(bin_dir) as server:
        of_it = ("--server", server.address, "--data-dir", server.data_dir)
        figures = fleet.run("--scenario", "empty", "--duration", "0.2", *of_it, "--server-pid", str(server.process.pid))
        expect(all(phase["server_rss_bytes"] > 1_000_000 for phase in figures["phases"]), "its memory is not measured")
        figures = fleet.run("--scenario", "empty", "--duration", "0.2", *of_it)
        expect(not any(figure in phase for phase in figures["phases"] for figure in SERVER_FIGURES),
               "figures of a process that nobody named")


def a_shift_that_starts(fleet):
    figures = fleet.run("--scenario", "shift", "--duration", "2")
    shift = phase_of(figures, "shift")
    expect_series(shift, "standard sync")
    expect(shift["syncs"]["recorded"] == 10, f"each device comes once: {shift['syncs']}")
    expect(shift["syncs"]["upserts"] == 300, f"thirty records wait for each: {shift['syncs']}")
    # They do not come all at once: with this seed one of ten comes in the second half.
    expect(shift["seconds"] > 1, f"all came within {shift['seconds']} s")


def devices_that_only_follow(fleet):
    figures = fleet.run("--scenario", "idle")
    before, idle = phase_of(figures, "before"), phase_of(figures, "idle")
    expect(before["syncs"]["recorded"] == 0, f"nothing is to happen before: {before}")
    expect(idle["syncs"]["recorded"] == 10, f"each device is caught up once: {idle['syncs']}")
    expect(min(before["server_rss_bytes"], idle["server_rss_bytes"]) > 1_000_000, "the server's memory is not measured")


def a_server_that_does_no_work(fleet, directory):
    """The same devices on what caresyncd said before: every kind of sync that can be compared."""
    dialogues = os.path.join(directory, "dialogues")
    fleet.run("--scenario", "record", "--dialogues", dialogues)
    for scenario, kind in (("empty", "auto sync"), ("clean", "clean sync"), ("idle", "auto sync")):
        figures = fleet.run("--scenario", scenario, "--duration", "0.5", "--limit", dialogues)
        expect(figures["faults"] == 0, f"{scenario}: {figures['faults_told']}")
        expect_series(phase_of(figures, scenario), kind)
        ours = fleet.run("--scenario", scenario, "--duration", "0.5")
        # The first copies are what was recorded: each device's once, and no more than it holds at the end of a real run.
        sent = phase_of(figures, "first copies")["syncs"]["upserts"]
        expect(sent == ours["records_held"], f"{scenario}: {sent} records in copies where {ours['records_held']} are held")
        if scenario == "clean":
            continue
        of_limit, of_ours = (phase_of(run, scenario)["syncs"] for run in (figures, ours))
        per_sync = [syncs["bytes_received"] / syncs["recorded"] for syncs in (of_limit, of_ours)]
        # Times and running numbers are written shorter or longer.
        expect(abs(per_sync[0] - per_sync[1]) < 0.05 * per_sync[1], f"{scenario}: bytes of a sync {per_sync}")


def changes_that_nobody_keeps(fleet, directory):
    """After what wrote the dialogues."""
    to_limit = ("--scenario", "ingest", "--duration", "0.5", "--limit", os.path.join(directory, "dialogues"))
    expect("--sources" in fleet.refuses(*to_limit, "--rota", fleet.rota, "--sources", "2"), "two sources of the limit")
    figures = fleet.run(*to_limit)
    ingest = phase_of(figures, "ingest")
    expect_series(ingest, "apply changes")
    expect(ingest["sums"]["changes"] == 100 * ingest["series"]["apply changes"]["count"], f"{ingest['sums']}")


def a_slow_phase_is_a_fault(fleet):
    small = ("--scenario", "group", "--duration", "1", "--group-carers", "100", "--group-service-users", "100")
    # Nothing is a hundred times faster than in the quiet phase, and nothing a thousand times slower.
    figures = fleet.run(*small, "--slowest-delta", "0.01", status=1)
    expect(figures["faults"] >= 3, f"the group's phases were to be too slow: {figures['faults_told']}")
    expect(any("group set up: the median sync took" in fault for fault in figures["faults_told"]), figures["faults_told"])
    figures = fleet.run(*small, "--slowest-delta", "1000")
    expect(figures["faults"] == 0, f"a bound that is kept: {figures['faults_told']}")
    # What comes after the group is set up is compared with what is usual beside such a group.
    for quiet in ("quiet", "quiet, with the group"):
        expect_series(phase_of(figures, quiet), "auto sync")
        expect("seconds until the server was quiet" in phase_of(figures, quiet)["figures"], f"{quiet}: {figures}")


def too_much_memory_is_a_fault(fleet):
    figures = fleet.run("--scenario", "empty", "--duration", "0.2", "--most-rss-mb", "1", status=1)
    expect(figures["faults"] == 1 and "the server's memory came to" in figures["faults_told"][0], f"{figures['faults_told']}")
    expect(fleet.run("--scenario", "empty", "--duration", "0.2", "--most-rss-mb", "1000000")["faults"] == 0, "a bound that is kept")


def a_store_is_made_once(fleet, directory):
    store = ("--scenario", "store", "--duration", "0.1", "--data-dir", os.path.join(directory, "of", "store"))
    expect_series(phase_of(fleet.run(*store), "store"), "write")
    expect(os.path.join(directory, "of", "store") in fleet.refuses(*store, "--rota", fleet.rota), "what is written to is not named")


def what_a_server_wrote_of_rotas_is_written_again(fleet, directory):
    of, again = os.path.join(directory, "of", "server"), os.path.join(directory, "of", "rows")
    ingest = phase_of(fleet.run("--scenario", "ingest", "--duration", "0.5", "--data-dir", of), "ingest")
    expect(ingest["sums"]["changes before"] > 0, f"what was imported is in the log, too: {ingest['sums']}")
    store = ("--scenario", "store", "--commits-of", of)
    rows = phase_of(fleet.run(*store, "--data-dir", again), "store")
    expect_series(rows, "write")
    changes = ingest["sums"]["changes"] + ingest["sums"]["changes before"]
    expect(rows["sums"]["rows"] > 5 * changes, f"a change is several rows: {rows['sums']} of {changes} changes")
    # A message is committed at once; only the imports' commits come beside those, and a task's now and then.
    expect(rows["series"]["write"]["count"] < 2 * changes / 100 + 50, f"commits of devices are left out: {rows['series']}")
    expect(again in fleet.refuses(*store, "--data-dir", again, "--rota", fleet.rota), "a store that exists is not named")
    expect("--commits-of" in fleet.refuses("--scenario", "empty", "--rota", fleet.rota, "--commits-of", of), "devices that sync")
    empty = os.path.join(directory, "of", "nobody")
    os.mkdir(empty)
    fleet.run("--scenario", "store", "--commits-of", empty, status=1)


def ordinary_devices_come_one_by_one(fleet):
    # Two of twenty: with this seed both in the first half of a second. Together they would come after a whole one.
    figures = fleet.run("--scenario", "herd", "--duration", "0.1", "--seed", "9", devices=20)
    quiet = phase_of(figures, "quiet")
    expect(quiet["syncs"]["recorded"] == 2, f"each of two comes once: {quiet['syncs']}")
    expect(quiet["seconds"] < 1, f"they came after {quiet['seconds']} s")


def what_was_not_shown_does_not_pass(fleet):
    """A run that is stopped, or whose report goes nowhere, does not end with 0."""
    stopped = subprocess.Popen([fleet.program, "--devices", "10", "--rota", fleet.rota, "--scenario", "empty", "--duration", "600",
                                "--data-dir", os.path.join(os.path.dirname(fleet.file), "stopped")],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    log = os.path.join(os.path.dirname(fleet.file), "stopped", "server.log")
    while not os.path.exists(log):
        expect(stopped.poll() is None, "fleetload ended by itself")
        time.sleep(0.05)
    stopped.send_signal(signal.SIGTERM)
    _, error = stopped.communicate(timeout=120)
    expect(stopped.returncode != 0 and "fleetload: " in error, f"stopped: status {stopped.returncode}, {error!r}")
    with open("/dev/full", "w") as full:
        done = subprocess.run([fleet.program, "--devices", "10", "--rota", fleet.rota, "--scenario", "empty", "--duration", "0.2"],
                              stdout=full, stderr=subprocess.PIPE, text=True, timeout=200)
    expect(done.returncode == 1 and "OUTPUT_NOT_WRITABLE" in done.stderr, f"{done.returncode}: {done.stderr}")


def overload_tells_what_is_left_of_the_best(fleet):
    # Enough devices that some are free while others sync.
    figures = fleet.run("--scenario", "overload", "--duration", "1", "--clean-percent", "20", devices=100)
    expect(phase_of(figures, "capacity")["figures"]["syncs recorded a second"] > 0, "there is no capacity")
    for level in ("1 x capacity", "2 x capacity", "5 x capacity"):
        phase = phase_of(figures, level)
        expect(phase["sums"]["arrivals"] > 0, f"nobody arrived: {phase}")
        expect(0 < phase["figures"]["of the best"] <= 1, f"more than the best: {phase}")
        expect(phase["figures"]["cores that the fleet kept busy"] > 0, f"the fleet did nothing: {phase}")
        # In one second.
        arrivals = phase["sums"]["arrivals"] + phase["sums"]["arrivals that no device was free for"]
        offered = phase["figures"]["arrivals offered a second"]
        expect(abs(arrivals - offered) <= 1, f"{arrivals} arrivals where {offered} were offered")
        expect(phase_of(figures, f"after {level}")["seconds"] > 0, "what has arrived is done at once")
        expect_series(phase, "auto sync")
        expect_series(phase, "clean sync")


def too_little_that_is_left_is_a_fault(fleet):
    overload = ("--scenario", "overload", "--duration", "0.5", "--least-goodput")
    # A hundred devices are never enough for five times what they come to themselves.
    told = fleet.run(*overload, "0.01", devices=100, status=1)["faults_told"]
    expect(any("5 x capacity: no device was free for" in fault for fault in told), f"a fleet that is too small: {told}")


def options_that_do_not_go_together(fleet):
    expect("--server-pid" in fleet.refuses("--scenario", "empty", "--rota", fleet.rota, "--server-pid", "1"), "--server-pid")
    expect("--server-core" in fleet.refuses("--scenario", "empty", "--rota", fleet.rota, "--server", "127.0.0.1:1",
                                            "--data-dir", "data", "--server-core", "0"), "--server-core")
    expect("--dialogues" in fleet.refuses("--scenario", "record", "--rota", fleet.rota), "record without --dialogues")
    expect("--limit" in fleet.refuses("--scenario", "storm", "--rota", fleet.rota, "--limit", fleet.rota), "--limit")
    expect("--slowest-delta" in fleet.refuses("--scenario", "empty", "--rota", fleet.rota, "--slowest-delta", "2"),
           "--slowest-delta")
    expect("--least-goodput" in fleet.refuses("--scenario", "empty", "--rota", fleet.rota, "--least-goodput", "0.5"),
           "--least-goodput")
    expect("--most-rss-mb" in fleet.refuses("--scenario", "empty", "--rota", fleet.rota, "--server", "127.0.0.1:1",
                                            "--data-dir", "data", "--most-rss-mb", "100"), "--most-rss-mb")
    expect("--registered" in fleet.refuses("--scenario", "register", "--rota", fleet.rota, "--devices", "20", "--registered", "20"),
           "nobody to register")
    expect("--devices" in fleet.refuses("--scenario", "stalled", "--rota", fleet.rota, "--devices", "3"), "too few to stall")
    expect("--server" in fleet.refuses("--scenario", "empty", "--rota", fleet.rota, "--server", ""), "--server of nothing")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin-dir", required=True)
    parser.add_argument("--rota", required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="caresync-test-") as directory:
        fleet = Fleet(options.bin_dir, options.rota, directory)
        a_server_of_its_own(fleet)
        a_server_that_runs(fleet, options.bin_dir)
        a_shift_that_starts(fleet)
        devices_that_only_follow(fleet)
        a_server_that_does_no_work(fleet, directory)
        changes_that_nobody_keeps(fleet, directory)
        a_slow_phase_is_a_fault(fleet)
        too_much_memory_is_a_fault(fleet)
        a_store_is_made_once(fleet, directory)
        what_a_server_wrote_of_rotas_is_written_again(fleet, directory)
        ordinary_devices_come_one_by_one(fleet)
        what_was_not_shown_does_not_pass(fleet)
        overload_tells_what_is_left_of_the_best(fleet)
        too_little_that_is_left_is_a_fault(fleet)
        options_that_do_not_go_together(fleet)


if __name__ == "__main__":
    main()
