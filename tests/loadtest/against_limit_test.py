"""Runs against_limit as a whole, with the smallest numbers that measure something: what it prints and writes is complete."""

import argparse
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "cli"))

from caresync_process import expect  # noqa: E402

PROMISES = {"empty_syncs", "clean_bytes", "delta_cost", "delta_after_moves", "delta_among_many", "ingest",
            "ingest_alone", "memory", "follow_p99", "start"}


def run(options, *arguments, status=0):
    core = str(min(os.sched_getaffinity(0)))
    command = [sys.executable, os.path.join(HERE, "..", "..", "loadtest", "against_limit"), "--bin-dir", options.bin_dir,
               "--rota", options.rota, "--server-core", core, "--fleet-core", core, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    expect(done.returncode == status, f"{command}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def everything_is_measured_and_written(options, directory):
    json_file, html_file = os.path.join(directory, "figures.json"), os.path.join(directory, "figures.html")
    done = run(options, "--repetitions", "1", "--devices", "10", "--following", "100", "--duration", "0.3", "--moves", "2",
               "--stored-records", "1000", "--registered", "30", "--json", json_file, "--html", html_file)
    with open(json_file) as file:
        written = json.load(file)
    with open(html_file) as file:
        page = file.read()
    expect({result["key"] for result in written["results"]} == PROMISES, f"{written['results']}")
    runs = written["repetitions"][0]
    expect(all(figures.get("faults", 0) == 0 for figures in runs.values()), "a run with faults is no measurement")
    for result in written["results"]:
        expect(result["figure"] > 0 and len(result["values"]) == 1, f"{result}")
        expect(result["title"] in done.stdout, f"{result['title']} is not in what was printed:\n{done.stdout}")
        expect(result["title"].replace("'", "&#x27;") in page, f"{result['title']} is not on the page")
    what_a_server_does_is_not_what_the_fleet_does(written)
    the_deltas_tell_what_they_were_measured_among(runs)


def what_a_server_does_is_not_what_the_fleet_does(written):
    """All share a core here, so no server has it to itself."""
    runs = written["repetitions"][0]
    ours, limit = (phase["server_cpu_seconds"] / phase["syncs"]["recorded"]
                   for name in ("ours/empty", "limit/empty") for phase in runs[name]["phases"] if phase["name"] == "empty")
    result = next(result for result in written["results"] if result["key"] == "empty_syncs")
    expect(result["basis"] == "by server CPU" and result["busy"]["limit"] < 0.9, f"{result}")
    expect(abs(result["figure"] - limit / ours) < 1e-9, f"{result['figure']} is not {limit} / {ours}")
    # Whoever does nothing is faster.
    expect(result["figure"] < 1, f"caresyncd came to {result['figure']} of what can be done at most")


def the_deltas_tell_what_they_were_measured_among(runs):
    deltas = {phase["name"]: phase for phase in runs["ours/delta"]["phases"] if phase["name"].startswith("delta")}
    expect(len({phase["sums"]["rounds"] for phase in deltas.values()}) == 1, f"as many rounds of each: {deltas}")
    expect(all(phase["syncs"]["recorded"] == 10 * phase["sums"]["rounds"] for phase in deltas.values()), f"{deltas}")
    expect(deltas["delta among many"]["figures"]["records stored"] >= 1000, f"{deltas}")
    expect(all("seconds until the server was quiet" in phase["figures"] for phase in deltas.values()), f"{deltas}")


def a_run_that_fails_is_told(options):
    done = run(options, "--only", "empty", "--devices", "10", "--following", "1", "--duration", "0", status=1)
    expect("--duration" in done.stderr and "ended with 2" in done.stderr, done.stderr)


def a_part_is_measured_with_what_it_is_compared_with(options):
    done = run(options, "--only", "ingest", "--repetitions", "1", "--devices", "10", "--following", "1", "--duration", "0.3")
    expect("rota ingest, durable" in done.stdout and "delta" not in done.stdout, done.stdout)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin-dir", required=True)
    parser.add_argument("--rota", required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="caresync-test-") as directory:
        everything_is_measured_and_written(options, directory)
    a_run_that_fails_is_told(options)
    a_part_is_measured_with_what_it_is_compared_with(options)


main()
