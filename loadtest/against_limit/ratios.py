"""What is promised of the server's speed and memory, and how each figure is worked out from the runs.

A repetition is a dict from the name of a run, such as "ours/empty", to what fleetload --json wrote of it. Pure functions.
"""

import dataclasses
import statistics
from typing import Callable


# A server that took less than this part of its core waited for others: what it did in a second says nothing of what it can do.
SATURATED = 0.9

BY_THROUGHPUT, BY_SERVER_CPU = "by throughput", "by server CPU"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The same work on two servers, for a figure of how much of it each one can do."""
    limit: tuple[str, str]  # The run, and its phase.
    ours: tuple[str, str]
    by_cpu: Callable[[dict], float]  # The figure, by the processor time that a piece of the work takes.


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
    comparison: Comparison | None = None  # Set where `figure` is by throughput: who sets that must be looked at.
    of_all: Callable = statistics.median  # Of the repetitions' figures the one that counts.

    def holds(self, value, bound):
        return value <= bound if self.at_most else value >= bound


@dataclasses.dataclass(frozen=True)
class Busy:
    """Parts of a core, over all repetitions: the least that each server took, and the most that the fleet took with either."""
    limit: float
    server: float
    fleet: float

    @property
    def basis(self):
        """Which of the two ways counts."""
        return BY_THROUGHPUT if min(self.limit, self.server) >= SATURATED else BY_SERVER_CPU


@dataclasses.dataclass(frozen=True)
class Result:
    """A promise and its figures, one a repetition; none where it could not be worked out."""
    promise: Promise
    values: tuple[float, ...]
    why_not: str = ""
    busy: Busy | None = None  # With a comparison.
    by: dict[str, tuple[float, ...]] = dataclasses.field(default_factory=dict)  # With a comparison: `values` either way.

    @property
    def figure(self):
        """What counts."""
        return self.promise.of_all(self.values)

    @property
    def spread(self):
        """From the lowest to the highest, as a part of the one that counts."""
        return (max(self.values) - min(self.values)) / self.figure if self.figure else 0.0

    @property
    def holds(self):
        return not self.why_not and self.promise.holds(self.figure, self.promise.first)

    @property
    def reaches_goal(self):
        return not self.why_not and self.promise.holds(self.figure, self.promise.goal)


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


def cpu_per_byte(run, phase_name):
    """Seconds of the server's processor time for a byte that a device receives."""
    phase = phase_of(run, phase_name)
    return divide(phase["server_cpu_seconds"], phase["syncs"]["bytes_received"], f"the number of bytes of \"{phase_name}\"")


def changes_per_second(run, phase_name):
    phase = phase_of(run, phase_name)
    return divide(phase["sums"]["changes"], phase["seconds"], f"the time of \"{phase_name}\"")


def ingest_of_rows(runs):
    """Of the changes a second of RocksDB alone, which writes all that caresyncd wrote: what was imported before, too."""
    ours = phase_of(runs["ours/ingest"], "ingest")
    changes = ours["sums"]["changes"] + ours["sums"]["changes before"]
    alone = divide(changes, phase_of(runs["limit/rows"], "store")["seconds"], "the time of \"store\"")
    return divide(changes_per_second(runs["ours/ingest"], "ingest"), alone, "what limit/rows came to")


def memory_of_device(run):
    grown = phase_of(run, "idle")["server_rss_bytes"] - phase_of(run, "before")["server_rss_bytes"]
    return divide(grown, run["devices"], "the number of devices")


def ratio(of, ours, theirs):
    """`of` applied to two runs and phases."""
    def figure(runs):
        ours_value, their_value = (of(runs[name], *phase) for name, *phase in (ours, theirs))
        return divide(ours_value, their_value, f"what {theirs[0]} came to")
    return figure


def cpu_among_many(runs):
    """Against the deltas just before: the records have moved as often."""
    names = [phase["name"] for phase in runs["ours/delta"]["phases"]]
    before = "delta after moves" if "delta after moves" in names else "delta"
    return ratio(cpu_per_sync, ("ours/delta", "delta among many"), ("ours/delta", before))(runs)


def slowest_of_a_hundred(runs):
    """Milliseconds from the sending of a change until its devices have it, 99 in a hundred."""
    series = phase_of(runs["ours/follow"], "follow")["series"]
    if "sent to device" not in series:
        raise CannotCompare("no change came to a device that follows")
    return series["sent to device"]["p99_us"] / 1000


def of_the_limit(key, title, first, goal, scenario, throughput, cost):
    """A promise of how much of what `throughput` tells ours does, of what the limit does."""
    ours, limit = (f"ours/{scenario}", scenario), (f"limit/{scenario}", scenario)
    # Whoever takes twice the time for a piece does half as many.
    comparison = Comparison(limit, ours, ratio(cost, limit, ours))
    return Promise(key, title, "", False, first, goal, (ours[0], limit[0]), ratio(throughput, ours, limit), comparison)


PROMISES = (
    of_the_limit("empty_syncs", "empty auto syncs a second, of the limit", 0.4, 0.7, "empty", syncs_per_second, cpu_per_sync),
    of_the_limit("clean_bytes", "clean sync, bytes a second, of the limit", 0.5, 0.7, "clean", bytes_per_second, cpu_per_byte),
    Promise("delta_cost", "a 5-record delta, cost of an empty one", "×", True, 1.8, 1.4,
            ("ours/delta", "ours/empty"),
            ratio(cpu_per_sync, ("ours/delta", "delta"), ("ours/empty", "empty"))),
    Promise("delta_after_moves", "the same delta after many moves of each record", "×", True, 1.2, 1.05,
            ("ours/delta",),
            ratio(cpu_per_sync, ("ours/delta", "delta after moves"), ("ours/delta", "delta"))),
    Promise("delta_among_many", "the same delta among many stored records", "×", True, 1.2, 1.05,
            ("ours/delta",), cpu_among_many),
    Promise("ingest", "rota ingest, durable, of RocksDB writing the same rows", "", False, 0.4, 0.6,
            ("ours/ingest", "limit/rows"), ingest_of_rows),
    Promise("ingest_alone", "the same, of RocksDB writing the visits alone, a row each", "", False, 0.4, 0.6,
            ("ours/ingest", "limit/store"),
            ratio(changes_per_second, ("ours/ingest", "ingest"), ("limit/store", "store"))),
    Promise("memory", "memory of a connected, idle, following device, of bare gRPC's", "×", True, 1.5, 1.2,
            ("ours/idle", "limit/idle"),
            ratio(memory_of_device, ("ours/idle",), ("limit/idle",))),
    Promise("follow_p99", "a change to a following device, p99, its commit included", "ms", True, 20, 5,
            ("ours/follow",), slowest_of_a_hundred),
    # Only the first start after the registrations finds a log that is to be read: the slowest is that one, or worse.
    Promise("start", "start with as many devices registered, the slowest", "s", True, 5, 2,
            ("ours/start",), lambda runs: phase_of(runs["ours/start"], "start")["seconds"], of_all=max),
)


def busy(phase, process):
    """The part of a core that the server or the fleet took; None where its processor time is not known."""
    used = phase.get(f"{process}_cpu_seconds")
    return None if used is None or phase["seconds"] <= 0 else used / phase["seconds"]


def busy_of(comparison, repetitions):
    def phases(measured):
        return [phase_of(runs[measured[0]], measured[1]) for runs in repetitions]

    def parts(measured, process):
        return [busy(phase, process) for phase in phases(measured)]

    limit, server = parts(comparison.limit, "server"), parts(comparison.ours, "server")
    fleet = parts(comparison.limit, "fleet") + parts(comparison.ours, "fleet")
    if None in limit + server + fleet:
        raise CannotCompare("the processor time of a server or of the fleet is not known")
    return Busy(min(limit), min(server), max(fleet))


def result_of(promise, repetitions):
    def values(figure):
        return tuple(figure(runs) for runs in repetitions)

    try:
        if promise.comparison is None:
            return Result(promise, values(promise.figure))
        how_busy = busy_of(promise.comparison, repetitions)
        by = {BY_THROUGHPUT: values(promise.figure), BY_SERVER_CPU: values(promise.comparison.by_cpu)}
        return Result(promise, by[how_busy.basis], busy=how_busy, by=by)
    except CannotCompare as error:
        return Result(promise, (), why_not=str(error))


def results_of(repetitions):
    """Of every promise whose runs were made, in their order."""
    return [result_of(promise, repetitions)
            for promise in PROMISES
            if repetitions and all(name in runs for runs in repetitions for name in promise.runs)]
