"""Draw what the scenarios measured: a small SVG each, readable on light and on dark pages.

The same results give the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .results import Result, Row

INK, FAINT, PAPER = "#1f2328", "#59636e", "#ffffff"
OURS, OTHER, LIMIT = "#0969da", "#8250df", "#bc4c00"
DARK = {
    INK: "#f0f6fc",
    FAINT: "#9198a1",
    PAPER: "#0d1117",
    OURS: "#4493f8",
    OTHER: "#ab7df8",
    LIMIT: "#f0883e",
}
"""What each colour is where the reader prefers dark pages."""
WIDTH = 7.2
AT = 75
"""Per cent at which the curves are named: beside them, one to the left and one to the right."""
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: small, and a new figure is a new line
    "svg.hashsalt": "habeas",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": FAINT,
    "axes.edgecolor": FAINT,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlepad": 12,
    "figure.constrained_layout.h_pad": 0.12,
    "figure.facecolor": PAPER,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
}


def draw(measured: Mapping[str, Result], folder: Path) -> list[Path]:
    """Draw a plot of each scenario that was measured; the files."""
    folder.mkdir(exist_ok=True)
    made = []
    if {"access", "erasure"} <= measured.keys():
        made.append(_saved(folder / "throughput.svg", lambda: _throughput(measured)))
    for name, how in PLOTS.items():
        if name in measured:
            made.append(_saved(folder / f"{name}.svg", lambda: how(measured[name])))  # noqa: B023
    return made


def _saved(file: Path, how: Callable[[], Figure]) -> Path:
    with mpl.rc_context(STYLE):
        out = io.StringIO()
        how().savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = "\n".join(it.rstrip() for it in out.getvalue().splitlines())
    rules = "".join(
        f'[style*="{of}: {light}"]{{{of}:{dark} !important}}'
        for light, dark in DARK.items()
        for of in ("fill", "stroke")
    )
    style = f"<style>@media (prefers-color-scheme: dark) {{{rules}}}</style>"
    start = text.index("<defs>")
    file.write_text(f"{text[:start]}{style}\n{text[start:]}\n")
    return file


def _throughput(measured: Mapping[str, Result]) -> Figure:
    figure, axes = _figure(2.2)
    names = ("erasure", "access")  # from below
    rows = [measured[it].row("cases a second") for it in names]
    found = [it.figure for it in rows]
    floors = [measured[it].row("the floor's cases a second").figure for it in names]
    for n, (ours, floor) in enumerate(zip(found, floors, strict=True)):
        axes.barh(n, floor, height=0.5, color=FAINT, alpha=0.3)
        axes.barh(n, ours, height=0.5, color=OURS)
        _text(axes, ours, n, f"{ours:g}", colour="white", side=-5)
        told = f"floor: {floor:g}"
        axes.annotate(
            told, (floor, n), (5, 0), textcoords="offset points", va="center", color=FAINT
        )
        aim = rows[n].aim
        if aim is not None:
            axes.plot([aim] * 2, [n - 0.3, n + 0.3], color=LIMIT, linestyle=(0, (4, 3)))
            _text(axes, aim, n + 0.38, f"aim: {aim:g}", colour=LIMIT)
    _rows(axes, [f"{it} cases" for it in names])
    axes.set_xlim(0, max(floors) * 1.2)
    axes.set_ylim(-0.5, 1.6)
    axes.set_xlabel("cases a second; the floor is the same records and calls, nothing in between")
    axes.set_title(f"{found[1]:g} access and {found[0]:g} erasure cases a second")
    return figure


def _alone(of: Result) -> Figure:
    figure, axes = _figure(2.1)
    seconds = of.series["seconds"]
    p50 = of.row("from request to report, p50")
    vendor = of.row("of it the vendor's own").figure
    axes.axvspan(0, vendor, color=FAINT, alpha=0.15, linewidth=0)
    _text(axes, vendor / 2, 0.9, "the vendor's\nown time", colour=FAINT)
    _dots(axes, seconds, 0, OURS)
    axes.plot([p50.figure] * 2, [-0.35, 0.35], color=INK)
    _text(axes, p50.figure, 0.9, f"p50: {p50.figure:g} s", colour=INK)
    _limit(axes, p50)
    axes.set_ylim(-0.5, 1.2)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlim(0, max(*seconds, p50.aim or 0) * 1.15)
    axes.set_xlabel(f"seconds from request to report ({len(seconds)} cases, 100 ms a vendor call)")
    axes.set_title(f"A case alone is reported after {p50.figure:g} s")
    return figure


def _memory(of: Result) -> Figure:
    figure, axes = _figure(2.8)
    seconds = of.series["seconds"]
    host, response = of.row("host, above idle"), of.row("response host, above idle")
    for name, row, colour in (("host", host, OURS), ("response", response, OTHER)):
        values = of.series[name]
        axes.plot(seconds, values, color=colour, linewidth=1.6)
        at = next(n for n, it in enumerate(values) if it >= max(values) - abs(max(values)) * 0.1)
        axes.annotate(
            f"{row.name.partition(',')[0]}: {row.figure:g} MB at most",
            (seconds[at], values[at]),
            (0, 6),
            textcoords="offset points",
            color=colour,
            ha="left" if seconds[at] < seconds[-1] / 2 else "right",
        )
    most = max(host.figure, response.figure)
    aim = host.aim or 0
    axes.axhline(aim, color=LIMIT, linestyle=(0, (4, 3)), linewidth=1.2)
    axes.annotate(
        f"aim: {aim:g} MB at most", (0, aim), (4, 4), textcoords="offset points", color=LIMIT
    )
    axes.set_ylim(min(0, *of.series["host"], *of.series["response"]), max(aim, most) * 1.2)
    axes.set_xlim(0, seconds[-1] or 1)
    axes.set_ylabel("MB above idle")
    axes.set_xlabel("seconds since the request")
    held = of.row("of one person").figure
    axes.set_title(f"A person of {held:,g} MB takes {most:g} MB of memory at most")
    return figure


def _closed(of: Result) -> Figure:
    figure = Figure(figsize=(WIDTH, 2.5), layout="constrained")
    whole = of.row("closed cases").figure
    for n, what in enumerate(("CPU", "time")):
        axes = figure.add_subplot(1, 2, n + 1)
        for y, (when, colour) in enumerate((("with", OURS), ("without", FAINT))):
            _dots(axes, of.series[f"{what} {when}"], y, colour)
            best = of.row(f"{what} a case {when}").figure
            _text(axes, best, y, f"{best:g}", side=-8)
        _rows(axes, ["", ""] if n else [f"{whole:,g} closed cases", "none"])
        without, ratio = of.row(f"{what} a case without"), of.row(f"{what}, with over without")
        aim = round(without.figure * (ratio.aim or 0), 1)
        _limit(axes, Row(name="", figure=without.figure, unit="ms", aim=aim), -0.5)
        axes.set_xlim(0, max(*of.series[f"{what} with"], aim) * 1.7)
        axes.set_ylim(-0.75, 1.5)
        axes.set_xlabel(f"ms{' of CPU' if what == 'CPU' else ''} a case; a dot a round, best told")
    ratios = [of.row(f"{it}, with over without").figure for it in ("CPU", "time")]
    told = f"{ratios[0]:g} times the CPU, {ratios[1]:g} times the time"
    title = f"Beside {whole:,g} closed cases: {told}"
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    return figure


def _throttled(of: Result) -> Figure:
    figure, axes = _figure(2.8)
    ratio = of.row("with over without")
    curves = {"usual": FAINT, "beside a throttled one": OURS}
    for name, colour in curves.items():
        axes.plot(of.series[name], range(1, len(of.series[name]) + 1), color=colour, linewidth=1.8)
    left, right = sorted(curves, key=lambda it: of.series[it][AT - 1])
    _text(axes, of.series[left][AT - 1], AT + 5, left, colour=curves[left], side=-8)
    _text(axes, of.series[right][AT - 1], AT - 5, right, colour=curves[right], side=8)
    p50 = of.row("answer of the others, usual, p50").figure
    assert ratio.aim is not None
    axes.axvline(p50 * ratio.aim, color=LIMIT, linestyle=(0, (4, 3)), linewidth=1.2)
    told = f"aim for half of them: {ratio.aim:g} times as long"
    _text(axes, p50 * ratio.aim, 5, told, colour=LIMIT, side=4)
    axes.axhline(50, color=FAINT, linewidth=0.6, alpha=0.5)
    axes.set_ylim(0, 100)
    axes.set_xlim(0, max(of.series[it][94] for it in curves) * 1.1)
    axes.set_ylabel("% of searches answered")
    axes.set_xlabel("ms from order to answer, in the four other systems")
    axes.set_title(f"While one vendor is throttled the others take {ratio.figure:g} times as long")
    return figure


PLOTS: Mapping[str, Callable[[Result], Figure]] = {
    "alone": _alone,
    "memory": _memory,
    "closed": _closed,
    "throttled": _throttled,
}


def _figure(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.add_subplot()


def _rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names, color=INK)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _dots(axes: Axes, values: Sequence[float], y: float, colour: str) -> None:
    axes.plot(values, [y] * len(values), "o", color=colour, alpha=0.55, markeredgewidth=0)


def _text(
    axes: Axes, x: float, y: float, what: str, *, colour: str = INK, side: float = 0.0
) -> None:
    """Words at a point: in its middle, or so many points to its right (below 0: to its left)."""
    ha = "center" if not side else "left" if side > 0 else "right"
    axes.annotate(
        what, (x, y), (side, 0), textcoords="offset points", color=colour, va="center", ha=ha
    )


def _limit(axes: Axes, row: Row, y: float = 0.55) -> None:
    """The aim as a line, if there is one."""
    if row.aim is None:
        return
    axes.axvline(row.aim, color=LIMIT, linestyle=(0, (4, 3)), linewidth=1.2)
    _text(axes, row.aim, y, f"aim: {row.sense} {row.aim:g} {row.unit}", colour=LIMIT, side=4)
