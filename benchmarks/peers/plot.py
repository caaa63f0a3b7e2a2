"""Draws a results file: `python -m benchmarks.peers.plot FILE.json FILE.png`, where matplotlib is."""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from benchmarks.peers import results
from benchmarks.peers.contender import Workload
from benchmarks.peers.results import Results, Row

OURS, THEIRS = "#c2571a", "#7a8ba3"
RATES: dict[Workload, str] = {
    "dispatch": "dispatch one by one, jobs/s",
    "bulk": "dispatch in bulk, jobs/s",
    "drain": "drain jobs that do nothing, jobs/s",
    "io": "jobs that wait 10 ms, jobs/s",
}


def main(source: Path, target: Path) -> None:
    found = results.load(source)
    figure, axes = plt.subplots(3, 2, figsize=(14, 15), layout="constrained")
    for axis, (workload, title) in zip(axes.flat, RATES.items(), strict=False):
        _bars(axis, found, workload)
        _finish(axis, title)
    _spans(axes.flat[-2], found)
    _lines(axes.flat[-1], found)
    figure.suptitle(", ".join(f"{key} {value}" for key, value in found.machine.items()), fontsize=9)
    figure.savefig(target, dpi=110)


def _bars(axis: Axes, found: Results, workload: Workload) -> None:
    rows = [row for row in results.of(found.rows, workload) if row.value("rate")]
    axis.set_visible(bool(rows))
    values = [row.value("rate") or 0 for row in rows]
    bars = axis.barh(_names(rows), values, color=_colours(rows))
    axis.bar_label(bars, [f" {value:,.0f}" for value in values], fontsize=7)
    axis.margins(x=0.12)
    axis.invert_yaxis()


def _spans(axis: Axes, found: Results) -> None:
    """From the median to what one of a hundred exceeds; logarithmic, for some poll."""
    rows = [row for row in results.of(found.rows, "latency") if row.value("p99")]
    axis.set_visible(bool(rows))
    names, colours = _names(rows), _colours(rows)
    half, most = ([row.value(number) or 0 for row in rows] for number in ("p50", "p99"))
    axis.hlines(names, half, most, color=colours, linewidth=2)
    axis.scatter(half, names, color=colours, s=40)
    axis.scatter(most, names, color=colours, s=40, marker="|")
    for name, low, high in zip(names, half, most, strict=True):
        axis.annotate(f"  {low:.3g}, {high:.3g}", (high, name), fontsize=7, va="center")
    axis.set_xscale("log")
    axis.margins(x=0.2)
    axis.invert_yaxis()
    _finish(axis, "dispatched to started at 200 jobs/s, ms: p50 to p99")


def _names(rows: list[Row]) -> list[str]:
    return [f"{row.contender} {row.setting}".strip() for row in rows]


def _colours(rows: list[Row]) -> list[str]:
    return [OURS if row.contender == "packhorse" else THEIRS for row in rows]


def _lines(axis: Axes, found: Results) -> None:
    rows = [row for row in results.of(found.rows, "backlog") if row.runs]
    axis.set_visible(bool(rows))
    for name in dict.fromkeys((row.contender, row.setting) for row in rows):
        points = sorted(
            (row.value("waiting") or 0, row.value("rate") or 0)
            for row in rows
            if (row.contender, row.setting) == name
        )
        ours = {"color": OURS, "linewidth": 3} if name[0] == "packhorse" else {}
        axis.plot(*zip(*points, strict=True), marker="o", label=name[0], **ours)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.legend(fontsize=7)
    _finish(axis, "drain rate, jobs/s, against jobs that wait")


def _finish(axis: Axes, title: str) -> None:
    axis.set_title(title, fontsize=10)
    axis.tick_params(labelsize=7)
    axis.grid(alpha=0.3)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
