"""Runs fleetload with devices that never read, that never acknowledge, and whose path is lost: the server ends the stream
of each within its own deadlines, the office is shown why, and the others sync on."""

import argparse
import tempfile

from figures_are_written import Fleet, expect, expect_series, phase_of

# Of twenty devices two sync; of the others each kind has a third.
DEVICES = 20
OF_EACH_KIND = 6
# What a device is told, by how it stalls. One that never reads is cut off where a message does not leave; where all fits
# into what the network takes, it is silent like the others. Of one whose path is lost only the connection ends.
MAY_END_WITH = {
    "streams never read": {"CANCELLED", "DEVICE_SILENT"},
    "streams never acknowledged": {"DEVICE_SILENT"},
    "streams half open": {"SERVER_UNREACHABLE"},
}
# As the server itself has it.
MAY_BE_SHOWN_AS = {"DEVICE_SILENT", "DEVICE_NOT_READING"}


def every_stream_is_ended(stalled):
    for kind, reasons in MAY_END_WITH.items():
        ends = {name.split(", ended with ")[1]: count for name, count in stalled["sums"].items()
                if name.startswith(kind + ", ended with ")}
        expect(set(ends) <= reasons and sum(ends.values()) == OF_EACH_KIND, f"{kind}: {ends}")
    expect(stalled["syncs"]["stalled"] == len(MAY_END_WITH) * OF_EACH_KIND, f"{stalled['syncs']}")
    expect(stalled["syncs"]["failed"] == 0, f"{stalled['syncs']}")
    expect(0 < stalled["sums"]["streams stalled and open at once, at most"] <= len(MAY_END_WITH) * OF_EACH_KIND, f"{stalled['sums']}")


def the_office_is_shown_why(stalled):
    shown = {name.split()[2]: count for name, count in stalled["sums"].items() if name.startswith("shown as ")}
    expect(set(shown) <= MAY_BE_SHOWN_AS and sum(shown.values()) == len(MAY_END_WITH) * OF_EACH_KIND, f"{shown}")


def the_others_go_on(figures):
    for phase in ("quiet", "stalled"):
        expect_series(phase_of(figures, phase), "auto sync")
    stalled = phase_of(figures, "stalled")
    # Each a second after the last, as long as it lasts: with room for a machine that has much to do.
    least = (DEVICES - len(MAY_END_WITH) * OF_EACH_KIND) * stalled["seconds"] / 4
    expect(stalled["series"]["auto sync"]["count"] >= least, f"{stalled['series']} in {stalled['seconds']} s")
    expect(figures["devices_compared"] == DEVICES and figures["devices_different"] == 0, f"{figures['faults_told']}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin-dir", required=True)
    parser.add_argument("--rota", required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="caresync-test-") as directory:
        fleet = Fleet(options.bin_dir, options.rota, directory)
        # Small batches, so that there are several messages at which a path may be lost.
        figures = fleet.run("--scenario", "stalled", "--duration", "2", "--batch-bytes", "1024", devices=DEVICES)
    stalled = phase_of(figures, "stalled")
    every_stream_is_ended(stalled)
    the_office_is_shown_why(stalled)
    the_others_go_on(figures)
    expect(stalled["figures"]["MB of the server's memory while most were open"] > 1, f"{stalled['figures']}")


main()
