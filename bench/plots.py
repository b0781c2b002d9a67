"""Draws what was measured, as SVG for light and for dark pages.

    python bench/plots.py RESULTS FOLDER

Runs where Matplotlib is installed, and needs nothing of edworkers. RESULTS is what bench/run.py has written; what it
hasn't measured is not drawn. Each picture is written twice: `<name>-light.svg` and `<name>-dark.svg`.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt

Draw = Callable[[Any, Mapping[str, str]], None]

SLOTS = 50
SCHEMES = {
    "light": {"text": "#1f2328", "grid": "#d1d9e0", "ours": "#1a7f5a", "theirs": "#8c959f", "second": "#b35900"},
    "dark": {"text": "#e6edf3", "grid": "#3d444d", "ours": "#3fb98a", "theirs": "#6e7681", "second": "#f0a050"},
}
_STYLE = {"svg.fonttype": "none", "svg.hashsalt": "edworkers", "font.family": "sans-serif", "font.size": 11}


def bars(found: Mapping[str, float], label: str, *, least: bool = False) -> Draw:
    """Give what draws a number of each system, the best on top: the most or, if so it is, the least."""
    names = sorted(found, key=lambda name: found[name], reverse=least)
    digits = 1 if least else 0

    def draw(axes: Any, scheme: Mapping[str, str]) -> None:
        colours = [scheme["ours"] if name == "edworkers" else scheme["theirs"] for name in names]
        drawn = axes.barh(names, [found[name] for name in names], color=colours, height=0.7)
        axes.bar_label(drawn, [f" {found[name]:,.{digits}f}" for name in names], color=scheme["text"])
        axes.set_xlabel(label)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.margins(x=0.15)
        axes.grid(axis="y", visible=False)

    return draw


def curve(rows: Sequence[Mapping[str, float]], along: str, label: str) -> Draw:
    """Give what draws jobs a second, and Redis' time a job, along something."""

    def draw(axes: Any, scheme: Mapping[str, str]) -> None:
        places = [f"{row[along]:,}" for row in rows]
        axes.plot(places, [row["jobs/s"] for row in rows], color=scheme["ours"], marker="o")
        axes.set_ylabel("jobs a second", color=scheme["ours"])
        axes.margins(y=0.1)
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.set_xlabel(label)
        second = axes.twinx()
        second.plot(places, [row["redis_us"] for row in rows], color=scheme["second"], marker="s", linestyle="--")
        second.set_ylabel("µs in Redis a job", color=scheme["second"])
        second.margins(y=0.1)
        second.set_ylim(bottom=0)
        _tint(second, scheme)

    return draw


def _tint(axes: Any, scheme: Mapping[str, str]) -> None:
    axes.tick_params(colors=scheme["text"])
    for spine in axes.spines.values():
        spine.set_visible(False)


def write(folder: Path, name: str, draw: Draw) -> None:
    """Draw a picture for both kinds of pages."""
    for kind, scheme in SCHEMES.items():
        colours = {"text.color": scheme["text"], "axes.labelcolor": scheme["text"], "grid.color": scheme["grid"]}
        with mpl.rc_context({**_STYLE, **colours}):
            figure, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
            axes.grid(visible=True, linewidth=0.6)
            axes.set_axisbelow(True)
            _tint(axes, scheme)
            draw(axes, scheme)
            figure.savefig(folder / f"{name}-{kind}.svg", transparent=True, metadata={"Date": None})
            plt.close(figure)


RATES = (
    ("throughput", "bench-throughput", "no-op jobs a second, one process, 50 slots"),
    ("distance", "bench-distance", "no-op jobs a second, 50 slots, Redis a millisecond away"),
    ("io", "bench-io", "jobs a second that wait 10 ms each, 100 slots"),
)
SLOTS_OF = {"io": 100}
CURVES = (
    ("beside waiting jobs", "pending", "jobs waiting"),
    ("beside running jobs", "in_flight", "jobs in the hands of other runners"),
    ("runners", "processes", "runner processes with 50 slots each"),
)


def main(results: Path, folder: Path) -> None:
    """Draw everything."""
    found = json.loads(results.read_text(encoding="utf-8"))
    for title, name, label in RATES:
        rates = {
            row["system"]: row["jobs/s"] for row in found.get(title, []) if row["slots"] == SLOTS_OF.get(title, SLOTS)
        }
        if rates:
            write(folder, name, bars(rates, label))
    if waits := {row["system"]: row["idle_p99_us"] / 1000 for row in found.get("pace", [])}:
        write(folder, "bench-pace", bars(waits, "ms from push to start, 99 of 100 below, 20 jobs a second", least=True))
    for title, along, label in CURVES:
        if title in found:
            write(folder, f"bench-{along.replace('_', '-')}", curve(found[title], along, label))


if __name__ == "__main__":
    main(*(Path(word) for word in sys.argv[1:3]))
