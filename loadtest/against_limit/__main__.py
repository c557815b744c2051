"""Compares caresyncd with a server that does no work, on this machine, in one run. docs/performance.md tells of it.

usage: python3 loadtest/against_limit [--json FILE] [--html FILE] [options]
"""

import argparse
import datetime
import json
import os
import platform
import sys
import tempfile

import page
import ratios
import report
import runs


def positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return value


def writable(path):
    """Looked at before anything is measured: an hour later would be too late."""
    try:
        with open(path, "a"):
            return path
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{path} cannot be written: {error.strerror}") from error


def parse():
    parser = argparse.ArgumentParser(prog="against_limit", description=__doc__.splitlines()[0],
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--bin-dir", default="build/release/bin", help="where fleetload and the servers are")
    parser.add_argument("--json", type=writable, help="also write everything that was measured to this file")
    parser.add_argument("--html", type=writable, help="also write a page with plots to this file")
    parser.add_argument("--repetitions", type=positive, default=3, help="how often each run is made")
    parser.add_argument("--devices", type=positive, default=200, help="devices that sync")
    parser.add_argument("--following", type=positive, default=1000, help="devices that are connected and follow")
    parser.add_argument("--duration", type=float, default=10, help="seconds of each measurement")
    parser.add_argument("--moves", type=positive, default=100, help="how often a record moves before a delta is measured again")
    parser.add_argument("--stored-records", type=positive, default=1_000_000,
                        help="how many records are stored before a delta is measured once more")
    parser.add_argument("--registered", type=positive,
                        help="how many devices are registered before the server is started again; without it, that is left out")
    parser.add_argument("--rota", action="append", default=[], help="a rota file; without it, all in demo/rotas")
    parser.add_argument("--server-core", type=int, help="the core of the servers; without it, the first that may be used")
    parser.add_argument("--fleet-core", type=int, help="the core of the fleet; without it, the second")
    parser.add_argument("--only", action="append", default=[], metavar="SCENARIO",
                        choices=runs.SCENARIOS, help="make only these runs, and show what follows from them")
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2 and None in (options.server_core, options.fleet_core):
        parser.error("the servers and the fleet need a core each, and this process may use one only; "
                     "--server-core and --fleet-core with the same core measure all the same, but nothing to rely on")
    options.server_core = cores[0] if options.server_core is None else options.server_core
    options.fleet_core = cores[1] if options.fleet_core is None else options.fleet_core
    return options


def processor():
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


def settings_of(options):
    return {"date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
            "processor": processor(), "system": platform.release(), "devices": options.devices,
            "following": options.following, "seconds": options.duration, "repetitions": options.repetitions,
            "moves": options.moves, "registered": options.registered or "-", "stored records": options.stored_records,
            "server core": options.server_core, "fleet core": options.fleet_core}


def write(file, text):
    if not file:
        return
    with open(file, "w") as stream:
        stream.write(text)


def measure(options, repetitions):
    arguments = ["--duration", str(options.duration), "--server-core", str(options.server_core),
                 "--fleet-core", str(options.fleet_core)]
    for rota in options.rota:
        arguments += ["--rota", rota]
    with tempfile.TemporaryDirectory(prefix="against-limit-") as directory:
        runner = runs.Runner(options.bin_dir, directory, arguments)
        runs.measure(runner, options, lambda line: print(line, file=sys.stderr, flush=True), repetitions)


def write_json(options, results, settings, repetitions):
    write(options.json, json.dumps(report.as_json(results, settings, repetitions), indent=2) + "\n")


def compare(options):
    settings, repetitions = settings_of(options), []
    try:
        measure(options, repetitions)
    finally:
        # What was measured is kept, whatever becomes of the rest.
        write_json(options, [], settings, repetitions)
    results = ratios.results_of(repetitions)
    print(report.as_text(results, settings))
    write_json(options, results, settings, repetitions)
    write(options.html, page.page(results, settings, repetitions))
    return 1 if any(result.why_not for result in results) else 0


def main():
    options = parse()
    try:
        return compare(options)
    except (runs.RunFailed, OSError) as error:
        print(f"against_limit: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
