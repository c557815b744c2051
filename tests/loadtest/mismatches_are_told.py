"""Runs fleetload's scenarios about mismatches, in small and both at once, since they mostly wait: what is due at the same second
is told, and another tenant is told of its own while the rota of one changes and changes."""

import argparse
import concurrent.futures
import os
import tempfile

from figures_are_written import Fleet, expect, expect_series, phase_of

DEVICES = 10
VISITS = 200
SECONDS = 2
# Of the other tenant, in each second.
DUE_EACH_SECOND = 5
TOLD = "due to told"


def fleet_in(directory, name, options):
    os.mkdir(os.path.join(directory, name))
    return Fleet(options.bin_dir, options.rota, os.path.join(directory, name))


def deadlines(fleet):
    figures = fleet.run("--scenario", "deadlines", "--deadlines", str(VISITS), devices=DEVICES, timeout=280)
    phase = phase_of(figures, "deadlines")
    expect(phase["sums"]["mismatches due at the same second"] >= VISITS, f"{phase['sums']}")
    expect_series(phase, TOLD)
    expect(phase["series"][TOLD]["count"] == phase["sums"]["mismatches due at the same second"], f"{phase['series']}")
    expect(phase["series"]["due to open"]["max_us"] <= phase["series"][TOLD]["max_us"], f"{phase['series']}")


def burst(fleet):
    figures = fleet.run("--scenario", "burst", "--duration", str(SECONDS), "--deadlines", str(VISITS), "--changes-per-second", "10",
                        "--latest-mismatch", "60", devices=DEVICES, timeout=580)
    for name in ("alone", "burst"):
        phase = phase_of(figures, name)
        expect_series(phase, "other tenant: " + TOLD)
        expect(phase["series"]["other tenant: " + TOLD]["count"] >= SECONDS * DUE_EACH_SECOND, f"{name}: {phase['series']}")
    sent = phase_of(figures, "burst")
    expect_series(sent, "change due to answered")
    expect(0 < sent["sums"]["changes taken"] == 100 * sent["series"]["change due to answered"]["count"], f"{sent['sums']}")
    share = sent["figures"]["of the changes that were due, taken"]
    expect(0 < share <= 1.1, f"{sent['figures']}")
    own = phase_of(figures, "after")["series"]["busy tenant: " + TOLD]
    expect(own["count"] >= min(VISITS, sent["sums"]["changes taken"]), f"{own}")


def options_that_do_not_go_together(fleet):
    expect("burst" in fleet.refuses("--scenario", "deadlines", "--rota", fleet.rota, "--latest-mismatch", "1"), "a bound of no use")
    expect("--duration" in fleet.refuses("--scenario", "burst", "--rota", fleet.rota, "--duration", "3000"), "too long a burst")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin-dir", required=True)
    parser.add_argument("--rota", required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="caresync-test-") as directory:
        options_that_do_not_go_together(fleet_in(directory, "none", options))
        with concurrent.futures.ThreadPoolExecutor() as both:
            runs = [both.submit(scenario, fleet_in(directory, scenario.__name__, options)) for scenario in (deadlines, burst)]
            for run in runs:
                run.result()


main()
