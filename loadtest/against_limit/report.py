"""What a comparison came to, as text and as JSON."""

import dataclasses
import statistics


def number(value, unit):
    """Three digits that tell something."""
    text = f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
    return f"{text} {unit}".strip() if unit not in ("", "×") else f"{text}{' ×' if unit else ''}"


def bound(promise, value):
    return f"{'≤' if promise.at_most else '≥'} {number(value, promise.unit)}"


def standing(result):
    if result.why_not:
        return "UNKNOWN"
    return "goal" if result.reaches_goal else "kept" if result.holds else "MISSED"


def title(result):
    """With the way in which it was worked out, and what it comes to the other way."""
    if result.busy is None:
        return result.promise.title
    other = ", ".join(f"{way} {number(statistics.median(values), result.promise.unit)}"
                      for way, values in result.by.items() if way != result.busy.basis)
    return f"{result.promise.title} ({result.busy.basis}; {other})"


def figures(result):
    """The cells of the repetitions' figures, the one that counts, and their spread."""
    if result.why_not:
        return ("", "-", "")
    return (" ".join(number(value, "") for value in result.values), number(result.figure, result.promise.unit),
            f"±{result.spread * 50:.0f} %")


def busy(result):
    """The cells of how busy the limit's core, the server's and the fleet's were."""
    return tuple(f"{part:.2f}" for part in dataclasses.astuple(result.busy)) if result.busy else ("", "", "")


def row(result):
    """The cells of a result, but for how it stands."""
    promise = result.promise
    return (title(result), *figures(result), bound(promise, promise.first), bound(promise, promise.goal), *busy(result))


HEADER = ("What", "Runs", "Figure", "Spread", "Promised", "Goal", "Limit busy", "Server busy", "Fleet busy", "")


def verdict(result):
    """How it stands, with what is in the way of saying that."""
    return ": ".join(filter(None, (standing(result), result.why_not)))


def as_text(results, settings):
    rows = [HEADER, *((*row(result), verdict(result)) for result in results)]
    widths = [max(len(cells[column]) for cells in rows) for column in range(len(HEADER))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip() for cells in rows]
    return "\n".join([", ".join(f"{name} {value}" for name, value in settings.items()), "", *lines, ""])


def result_as_json(result):
    promise, known = result.promise, not result.why_not
    written = {"key": promise.key, "title": title(result), "unit": promise.unit, "values": list(result.values),
               "figure": result.figure if known else None, "spread": result.spread if known else None,
               "at_most": promise.at_most, "promised": promise.first, "goal": promise.goal,
               "holds": result.holds, "reaches_goal": result.reaches_goal}
    if result.why_not:
        written["why_not"] = result.why_not
    if result.busy:
        written |= {"basis": result.busy.basis, "by": {way: list(values) for way, values in result.by.items()},
                    "busy": dataclasses.asdict(result.busy)}
    return written


def as_json(results, settings, repetitions):
    return {"settings": settings, "results": [result_as_json(result) for result in results], "repetitions": repetitions}
