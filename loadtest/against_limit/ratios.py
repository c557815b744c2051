"""What is promised of the server's speed and memory, and how each figure is worked out from the runs.

A repetition is a dict from the name of a run, such as "ours/empty", to what fleetload --json wrote of it. Pure functions.
"""

import dataclasses
import statistics
from typing import Callable


@dataclasses.dataclass(frozen=True)
class Promise:
    """One figure: how it is worked out from a repetition, and what it is to be."""
    key: str
    title: str
    unit: str  # "" for a ratio.
    at_most: bool  # Else at least.
    first: float  # What is promised now.
    goal: float  # What is aimed at.
    runs: tuple[str, ...]  # Without them it cannot be worked out.
    figure: Callable[[dict], float]

    def holds(self, value, bound):
        return value <= bound if self.at_most else value >= bound


@dataclasses.dataclass(frozen=True)
class Result:
    """A promise and its figures, one a repetition; the middle one counts."""
    promise: Promise
    values: tuple[float, ...]

    @property
    def middle(self):
        return statistics.median(self.values)

    @property
    def spread(self):
        """From the lowest to the highest, as a part of the middle one."""
        return (max(self.values) - min(self.values)) / self.middle if self.middle else 0.0

    @property
    def holds(self):
        return self.promise.holds(self.middle, self.promise.first)

    @property
    def reaches_goal(self):
        return self.promise.holds(self.middle, self.promise.goal)


class CannotCompare(Exception):
    """A run did not measure what a figure needs; says which and what."""


def phase_of(run, name):
    for phase in run["phases"]:
        if phase["name"] == name:
            return phase
    raise CannotCompare(f"the run of {run['scenario']} has no phase \"{name}\"")


def divide(number, by, what):
    if by <= 0:
        raise CannotCompare(f"{what} is {by}: it was run for too short a time, or did nothing")
    return number / by


def syncs_per_second(run, phase_name):
    phase = phase_of(run, phase_name)
    return divide(phase["syncs"]["recorded"], phase["seconds"], f"the time of \"{phase_name}\"")


def bytes_per_second(run, phase_name):
    phase = phase_of(run, phase_name)
    return divide(phase["syncs"]["bytes_received"], phase["seconds"], f"the time of \"{phase_name}\"")


def cpu_per_sync(run, phase_name):
    """Seconds of the server's processor time for one sync."""
    phase = phase_of(run, phase_name)
    return divide(phase["server_cpu_seconds"], phase["syncs"]["recorded"], f"the number of syncs of \"{phase_name}\"")


def changes_per_second(run, phase_name):
    phase = phase_of(run, phase_name)
    return divide(phase["sums"]["changes"], phase["seconds"], f"the time of \"{phase_name}\"")


def memory_of_device(run):
    grown = phase_of(run, "idle")["server_rss_bytes"] - phase_of(run, "before")["server_rss_bytes"]
    return divide(grown, run["devices"], "the number of devices")


def ratio(of, ours, theirs):
    """`of` applied to two runs and phases."""
    def figure(runs):
        ours_value, their_value = (of(runs[name], *phase) for name, *phase in (ours, theirs))
        return divide(ours_value, their_value, f"what {theirs[0]} came to")
    return figure


def slowest_of_a_hundred(runs):
    """Milliseconds from the sending of a change until its devices have it, 99 in a hundred."""
    series = phase_of(runs["ours/follow"], "follow")["series"]
    if "sent to device" not in series:
        raise CannotCompare("no change came to a device that follows")
    return series["sent to device"]["p99_us"] / 1000


PROMISES = (
    Promise("empty_syncs", "empty auto syncs a second, of the limit", "", False, 0.4, 0.7,
            ("ours/empty", "limit/empty"),
            ratio(syncs_per_second, ("ours/empty", "empty"), ("limit/empty", "empty"))),
    Promise("clean_bytes", "clean sync, bytes a second, of the limit", "", False, 0.5, 0.7,
            ("ours/clean", "limit/clean"),
            ratio(bytes_per_second, ("ours/clean", "clean"), ("limit/clean", "clean"))),
    Promise("delta_cost", "a 5-record delta, cost of an empty one", "×", True, 1.8, 1.4,
            ("ours/delta", "ours/empty"),
            ratio(cpu_per_sync, ("ours/delta", "delta"), ("ours/empty", "empty"))),
    Promise("delta_after_moves", "the same delta after many moves of each record", "×", True, 1.2, 1.05,
            ("ours/delta",),
            ratio(cpu_per_sync, ("ours/delta", "delta after moves"), ("ours/delta", "delta"))),
    Promise("delta_among_many", "the same delta among many stored records", "×", True, 1.2, 1.05,
            ("ours/delta",),
            ratio(cpu_per_sync, ("ours/delta", "delta among many"), ("ours/delta", "delta"))),
    Promise("ingest", "rota ingest, durable, of RocksDB writing the same bytes", "", False, 0.4, 0.6,
            ("ours/ingest", "limit/store"),
            ratio(changes_per_second, ("ours/ingest", "ingest"), ("limit/store", "store"))),
    Promise("memory", "memory of a connected, idle, following device, of bare gRPC's", "×", True, 1.5, 1.2,
            ("ours/idle", "limit/idle"),
            ratio(memory_of_device, ("ours/idle",), ("limit/idle",))),
    Promise("follow_p99", "a change to a following device, p99, its commit included", "ms", True, 20, 5,
            ("ours/follow",), slowest_of_a_hundred),
    Promise("start", "start with as many devices registered", "s", True, 5, 2,
            ("ours/start",), lambda runs: phase_of(runs["ours/start"], "start")["seconds"]),
)


def results_of(repetitions):
    """Of every promise whose runs were made, in their order."""
    return [Result(promise, tuple(promise.figure(runs) for runs in repetitions))
            for promise in PROMISES
            if repetitions and all(name in runs for runs in repetitions for name in promise.runs)]
