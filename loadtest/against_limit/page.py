"""What a comparison came to, as one HTML page: its plots are SVG within it, and nothing is fetched."""

import html

import ratios
import report

WIDTH, HEIGHT, LEFT, RIGHT = 560, 64, 10, 10

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1c2430; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; } th, td { text-align: left; padding: .2rem 1rem .2rem 0; }
th { font-weight: 600; border-bottom: 1px solid #c5ccd6; } td { border-bottom: 1px solid #e6eaf0; }
h2 { font-size: 1.05rem; margin: 1.6rem 0 .2rem; } .MISSED, .UNKNOWN { color: #b3261e; font-weight: 600; }
.goal, .kept { color: #1a6b3c; font-weight: 600; } svg { max-width: 100%; } svg text { font: 12px system-ui, sans-serif; }
"""


def escape(text):
    return html.escape(str(text))


def table(header, rows):
    def line(cells, tag):
        return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>"
    return "<table>" + line(map(escape, header), "th") + "".join(line(cells, "td") for cells in rows) + "</table>"


def plot(result):
    """The runs as dots on a line from 0, the one that counts as a bar, what is promised and the goal as marks."""
    promise = result.promise
    most = 1.15 * max(*result.values, promise.first, promise.goal)

    def x(value):
        return LEFT + max(0.0, value) / most * (WIDTH - LEFT - RIGHT)

    colour = "#2e7d4f" if result.holds else "#b3261e"
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img" aria-label="{escape(promise.title)}">',
             f'<rect x="{LEFT}" y="22" width="{x(result.figure) - LEFT:.1f}" height="16" fill="{colour}" opacity=".35"/>']
    for value, name, y, dashes in ((promise.first, "promised", 14, ""),
                                   (promise.goal, "goal", 58, 'stroke-dasharray="3 3"')):
        at, anchor = f"{x(value):.1f}", "end" if x(value) > WIDTH / 2 else "start"
        parts.append(f'<line x1="{at}" x2="{at}" y1="16" y2="44" stroke="#1c2430" {dashes}/>')
        parts.append(f'<text x="{at}" y="{y}" text-anchor="{anchor}">{name} {escape(report.bound(promise, value))}</text>')
    parts += [f'<circle cx="{x(value):.1f}" cy="30" r="4" fill="{colour}"><title>{escape(report.number(value, promise.unit))}'
              "</title></circle>" for value in result.values]
    return "".join(parts) + "</svg>"


def results_table(results):
    rows = []
    for result in results:
        rows.append([*map(escape, report.row(result)),
                     f'<span class="{report.standing(result)}">{escape(report.verdict(result))}</span>'])
    return table(report.HEADER, rows)


def busy(phase, process):
    part = ratios.busy(phase, process)
    return "-" if part is None else f"{part:.2f}"


def runs_table(repetitions):
    """Every series of every run: throughput and percentiles, and how busy the cores were in its phase."""
    rows = []
    for index, runs in enumerate(repetitions, 1):
        for name, run in runs.items():
            for phase in run["phases"]:
                for series, figures in phase["series"].items():
                    rows.append([escape(index), escape(name), escape(phase["name"]), escape(series),
                                 f"{figures['count']}", f"{figures['per_second']:.1f}",
                                 f"{figures['p50_us'] / 1000:.2f}", f"{figures['p99_us'] / 1000:.2f}",
                                 busy(phase, "server"), busy(phase, "fleet")])
    return table(("Repetition", "Run", "Phase", "What", "Count", "A second", "p50 ms", "p99 ms", "Server busy", "Fleet busy"),
                 rows)


def told(result):
    """One result: its figure and its plot, or why there is none."""
    if result.why_not:
        return f"<h2>{escape(report.title(result))}</h2><p>{escape(report.verdict(result))}</p>"
    return f"<h2>{escape(report.title(result))}: {escape(report.number(result.figure, result.promise.unit))}</h2>{plot(result)}"


def page(results, settings, repetitions):
    return ("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>caresync against the limit</title>"
            f"<style>{STYLE}</style></head><body><h1>caresync against the limit</h1>"
            + table(settings.keys(), [map(escape, settings.values())]) + results_table(results) + "".join(map(told, results))
            + "<h2>Every run</h2>" + runs_table(repetitions) + "</body></html>\n")
