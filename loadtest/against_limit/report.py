"""What a comparison came to, as text and as JSON."""


def number(value, unit):
    """Three digits that tell something."""
    text = f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
    return f"{text} {unit}".strip() if unit not in ("", "×") else f"{text}{' ×' if unit else ''}"


def bound(promise, value):
    return f"{'≤' if promise.at_most else '≥'} {number(value, promise.unit)}"


def standing(result):
    return "goal" if result.reaches_goal else "kept" if result.holds else "MISSED"


def row(result):
    """The cells of a result: what, each repetition's figure, the middle one, its spread, what is promised, the goal."""
    promise = result.promise
    return (promise.title, " ".join(number(value, "") for value in result.values), number(result.middle, promise.unit),
            f"±{result.spread * 50:.0f} %", bound(promise, promise.first), bound(promise, promise.goal),
            standing(result))


HEADER = ("What", "Runs", "Middle", "Spread", "Promised", "Goal", "")


def as_text(results, settings):
    rows = [HEADER, *(row(result) for result in results)]
    widths = [max(len(cells[column]) for cells in rows) for column in range(len(HEADER))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip() for cells in rows]
    return "\n".join([", ".join(f"{name} {value}" for name, value in settings.items()), "", *lines, ""])


def as_json(results, settings, repetitions):
    return {
        "settings": settings,
        "results": [{"key": result.promise.key, "title": result.promise.title, "unit": result.promise.unit,
                     "values": list(result.values), "middle": result.middle, "spread": result.spread,
                     "at_most": result.promise.at_most, "promised": result.promise.first, "goal": result.promise.goal,
                     "holds": result.holds, "reaches_goal": result.reaches_goal} for result in results],
        "repetitions": repetitions,
    }
