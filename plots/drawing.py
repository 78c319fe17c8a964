"""Draws figures (see figures.py) with matplotlib: wide for a screen or a slide, narrow for a phone.

One unit of the canvas is one CSS pixel. Colours are the light theme's; svg.inline() swaps them for the page's.
"""

import io
import math
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as pyplot
from matplotlib.collections import LineCollection
from matplotlib.font_manager import FontProperties, findfont
from matplotlib.ft2font import FT2Font
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

import svg
import units
from matplotlib.patches import Polygon, Rectangle

from figures import LEVELS, RENDEZVOUS, TRANSPORTS, UNBOUNDED, DotRow, Figure, HeatMap, Line, Panel, nines_text

INK, MUTED, GRID, PAPER = "#1b1f24", "#5c6670", "#e4e7eb", "#fffffe"

# After Paul Tol's "muted" and Okabe and Ito, darkened or lightened to 3:1 contrast against the page of each theme.
# The shades of one family of mechanisms are related; markers and dashes tell them apart without colour.
COLOURS = {  # (on light, on dark)
    "pipe": ("#332288", "#a79df0"),
    "fifo": ("#2f8fc4", "#6fc0ea"),
    "posix_mq": ("#8a8a1f", "#c9c95a"),
    "sysv_mq": ("#d55e00", "#ff9a4d"),
    "posix_shm": ("#117733", "#4cc277"),
    "sysv_shm": ("#2b9688", "#62d2c2"),
    "unix_stream": ("#882255", "#e57fb0"),
    "unix_dgram": ("#cc6677", "#f29aa6"),
    "unix_seqpacket": ("#aa4499", "#da8bd0"),
    "tcp": ("#1b1b1b", "#f2f2f2"),
    "tcp_nagle": ("#6b6b6b", "#bdbdbd"),
    "udp": ("#7a5c2e", "#cfae7a"),
    "null": ("#8d8d8d", "#8a8a8a"),
}
MARKERS = {
    "pipe": "o",
    "fifo": "D",
    "posix_mq": "^",
    "sysv_mq": "v",
    "posix_shm": "s",
    "sysv_shm": "P",
    "unix_stream": "<",
    "unix_dgram": "X",
    "unix_seqpacket": ">",
    "tcp": "h",
    "tcp_nagle": "p",
    "udp": "d",
    "null": "*",
}
OTHER_COLOURS = (("#005f73", "#7fd0de"), ("#9b2226", "#f08f92"), ("#5b5b00", "#d6d66b"), ("#4a4e69", "#b4b9de"))
OTHER_MARKERS = ("8", 6, 7, 4, 5)
DASHES = ("solid", (0, (5, 2)), (0, (1.5, 1.8)), (0, (6, 2, 1.5, 2)), (0, (3, 3)))

# From short to long times: each step stands out from its neighbours, and the longest most from the page. After ColorBrewer's
# "Blues" (Brewer, colorbrewer2.org).
HEAT = (  # (on light, on dark)
    ("#eef4fb", "#1d2733"),
    ("#dce9f6", "#22344a"),
    ("#c3daee", "#274362"),
    ("#a1c9e4", "#2c547d"),
    ("#76b2d8", "#346a9c"),
    ("#4d97c9", "#4a87bb"),
    ("#2f7ab8", "#6ea6d2"),
    ("#185ea2", "#9cc5e6"),
    ("#083c7d", "#d3e7f8"),
)
HEAT_DARK = 5  # the first step on which the page's own colour reads better than its ink

# The page's CSS defines these.
VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--grid",
    PAPER: "--paper",
    **{light: f"--series-{name}" for name, (light, _) in COLOURS.items()},
    **{light: f"--series-other-{i}" for i, (light, _) in enumerate(OTHER_COLOURS)},
    **{light: f"--heat-{i}" for i, (light, _) in enumerate(HEAT)},
}
THEMES = {  # CSS variable -> (light, dark)
    **{f"--series-{name}": pair for name, pair in COLOURS.items()},
    **{f"--series-other-{i}": pair for i, pair in enumerate(OTHER_COLOURS)},
    **{f"--heat-{i}": pair for i, pair in enumerate(HEAT)},
}

FONT = "DejaVu Sans"
TEXT = 12  # px
DPI = 72  # so that a point is a pixel of the SVG


@dataclass(frozen=True)
class Layout:
    width: int
    columns: int  # panels side by side, at most
    labels_beside: bool  # at the line's end, else as a key below
    titled: bool  # with title and footer inside the picture


WIDE = Layout(1040, 2, True, False)
NARROW = Layout(358, 1, False, False)
SLIDE = Layout(1040, 2, True, True)


class Style:
    """Colour and marker of each transport; names that are not known share the remaining ones in order."""

    def __init__(self, transports):
        self._others = {name: i for i, name in enumerate(sorted(set(transports) - set(TRANSPORTS)))}

    def colour(self, transport: str) -> str:
        if transport in COLOURS:
            return COLOURS[transport][0]
        return OTHER_COLOURS[self._others[transport] % len(OTHER_COLOURS)][0]

    def marker(self, transport: str) -> str:
        if transport in MARKERS:
            return MARKERS[transport]
        return OTHER_MARKERS[self._others[transport] % len(OTHER_MARKERS)]


# --- measures -------------------------------------------------------------------------------------------------------

_fonts: dict[bool, FT2Font] = {}


def text_width(text: str, size: float = TEXT, bold: bool = False) -> float:
    if bold not in _fonts:
        _fonts[bold] = FT2Font(findfont(FontProperties(family=FONT, weight="bold" if bold else "normal")))
    font = _fonts[bold]
    font.set_size(size, 72)
    font.set_text(text, 0)
    return font.get_width_height()[0] / 64


def wrap(text: str, width: float, size: float = TEXT, bold: bool = False) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size, bold) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def spread(wanted: list[float], gap: float, low: float, high: float) -> list[float]:
    """Places as near as possible (least squares) to those wanted, in the same order, `gap` apart, within [low, high]."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    blocks: list[list[float]] = []  # [sum, count] of places less their rank's share; pooled while they descend
    for rank, i in enumerate(order):
        blocks.append([wanted[i] - rank * gap, 1])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            total, count = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += count
    pooled = [total / count for total, count in blocks for _ in range(int(count))]
    highest = max(low, high - (len(wanted) - 1) * gap)
    places = [0.0] * len(wanted)
    for rank, i in enumerate(order):
        places[i] = min(max(pooled[rank], low), highest) + rank * gap
    return places


def log_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers of a logarithmic axis: decades, or 1-2-5, or finer, so that there are three or more if possible."""
    exponents = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    for mantissas in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        ticks = [m * 10.0**e for e in exponents for m in mantissas if low <= m * 10.0**e <= high]
        if len(ticks) >= 3:
            return ticks[:: math.ceil(len(ticks) / most)]
    evenly = MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return [tick for tick in evenly if low <= tick <= high]


LEAST_SPAN = math.log10(3)  # of an axis, so that equal values look equal


def log_limits(values: list[float], margin: float = 0.06) -> tuple[float, float]:
    low, high = math.log10(min(values)), math.log10(max(values))
    pad = max(margin * (high - low), (LEAST_SPAN - (high - low)) / 2)
    return 10 ** (low - pad), 10 ** (high + pad)


def spread_of(estimate) -> tuple[float, float, bool]:
    """low, high, and whether they are the interval (else the range of too few launches)."""
    if estimate.has_interval:
        return estimate.low, estimate.high, True
    return estimate.minimum, estimate.maximum, False


def tick_text(kind: str, value: float) -> str:
    if kind == "bytes":
        return units.message_size(round(value))
    if kind == "messages":
        return units.count(round(value))
    if kind == "load":
        return f"{value:.0f} %"
    if kind == "nines":
        return nines_text(value)
    if kind == "bandwidth":
        return f"{value / 1e9:g}"
    number, unit = {"time": units.time, "gap": units.time, "rate": units.rate}[kind](value).split(" ")
    return f"{float(number):g} {unit}"


APART_TICKS = {RENDEZVOUS: "0", UNBOUNDED: "∞"}
APART_TITLES = {RENDEZVOUS: "rendezvous", UNBOUNDED: "unbounded"}
AXIS_TITLES = {
    "bytes": "message size",
    "messages": "messages that fit",
    "load": "offered rate, of saturation",
    "gap": "receiver idle for",
    "nines": "share of messages that took at most so long",
    "time": "time",
    "rate": "messages per second",
    "bandwidth": "GB/s",
}


# --- lines ----------------------------------------------------------------------------------------------------------


def dash_ranks(panels, column: int) -> dict[str, int]:
    """By label: the first variant of a transport is solid, the next ones are dashed, each differently. The same in
    every panel of a column, also where a line is missing in one of them."""
    variants: dict[str, list[str]] = {}
    for panel in panels:
        for line in panel.lines:
            known = variants.setdefault(line.transport, [])
            if panel.column == column and line.label not in known:
                known.append(line.label)
    return {label: rank for labels in variants.values() for rank, label in enumerate(labels)}


class Canvas:
    """A matplotlib figure measured in pixels from the top left, with axes laid over it for labels."""

    def __init__(self, width: float, height: float):
        self.width, self.height = width, height
        self.figure = pyplot.figure(figsize=(width / DPI, height / DPI), dpi=DPI)
        self.over = self.figure.add_axes([0, 0, 1, 1], zorder=5)
        self.over.set_axis_off()
        self.over.set_xlim(0, width)
        self.over.set_ylim(height, 0)

    def axes(self, left: float, top: float, width: float, height: float):
        box = [left / self.width, 1 - (top + height) / self.height, width / self.width, height / self.height]
        axes = self.figure.add_axes(box, zorder=2)
        axes.patch.set_visible(False)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.spines["bottom"].set_color(MUTED)
        axes.spines["bottom"].set_linewidth(0.8)
        axes.tick_params(length=0, labelsize=TEXT, colors=MUTED, pad=5)
        return axes

    def text(self, x: float, y: float, text: str, *, size=TEXT, colour=INK, align="left", bold=False, middle=True):
        self.over.text(
            x,
            y,
            text,
            fontsize=size,
            color=colour,
            ha=align,
            va="center_baseline" if middle else "baseline",
            fontweight="bold" if bold else "normal",
            parse_math=False,
        )

    def key(self, x: float, y: float, colour: str, marker: str, dash, label: str):
        """A sample of the line, then its name."""
        self.over.plot([x, x + 22], [y, y], color=colour, linewidth=1.6, linestyle=dash, clip_on=False)
        self.over.plot([x + 11], [y], color=colour, marker=marker, markersize=6, markeredgewidth=0, clip_on=False)
        self.text(x + 28, y, label)

    def leader(self, x0: float, y0: float, x1: float, y1: float):
        self.over.plot([x0, x1], [y0, y1], ":", color=MUTED, linewidth=0.7, alpha=0.7, clip_on=False)


KEY_GAP = 16
KEY_INDENT = 28


def draw_lines(figure: Figure, layout: Layout, footer: list[str]):
    style = Style(line.transport for panel in figure.panels for line in panel.lines)
    groups = _rows(figure.panels, layout)
    gutter = 0.0
    if layout.labels_beside:
        widest = max(text_width(line.label) for panel in figure.panels for line in panel.lines)
        gutter = widest + KEY_INDENT + 40
    left = 62
    across = max(len(row) for row in groups)
    span = layout.width / across
    panel_width = span - left - (gutter if layout.labels_beside else 30)
    head = _head_height(figure, layout)
    row_heights = []
    for number, row in enumerate(groups):
        most = max(len(panel.lines) for panel in row)
        body = max(280, most * KEY_GAP) if layout.labels_beside else 230
        below = 62 if number + 1 < len(groups) else 46
        if not layout.labels_beside and _key_follows(groups, number):
            below += max(_key_height(panel, span) for panel in row)
        row_heights.append((34, body, below))
    canvas = Canvas(layout.width, head + sum(map(sum, row_heights)) + (16 * len(footer) + 10 if layout.titled else 0))
    _draw_head(canvas, figure, layout)
    limits = _limits(figure.panels)
    sizes = sorted({point.x for panel in figure.panels for line in panel.lines for point in line.points})
    top = head
    for number, (row, (above, body, below)) in enumerate(zip(groups, row_heights)):
        for column, panel in enumerate(row):
            x = column * span
            canvas.text(x + 4, top + 14, panel.title, bold=True, size=13)
            axes = canvas.axes(x + left, top + above, panel_width, body)
            box = (x + left, top + above, panel_width, body)
            dashes = {
                label: DASHES[rank % len(DASHES)] for label, rank in dash_ranks(figure.panels, panel.column).items()
            }
            _draw_panel(canvas, axes, panel, limits[panel], sizes, style, dashes, box, layout)
            if not layout.labels_beside and _key_follows(groups, number):
                _draw_key(canvas, panel, style, dashes, x + 8, top + above + body + 60, span)
        top += above + body + below
    if layout.titled:
        _draw_footer(canvas, footer)
    return canvas.figure


def _rows(panels, layout: Layout) -> list[list[Panel]]:
    """Wide: a row of panels for each metric. Narrow: one below the other, those with the same lines together."""
    if layout.columns == 1:
        return [[panel] for panel in sorted(panels, key=lambda panel: (panel.column, panel.row))]
    by_row: dict[int, list[Panel]] = {}
    for panel in panels:
        by_row.setdefault(panel.row, []).append(panel)
    rows = list(by_row.values())
    if all(len(row) == 1 for row in rows):
        rows = [[panel for row in rows for panel in row]]
    return [row[i : i + layout.columns] for row in rows for i in range(0, len(row), layout.columns)]


def _key_follows(groups: list[list[Panel]], number: int) -> bool:
    """A key stands below the last of neighbouring panels that have the same lines."""
    if number + 1 == len(groups):
        return True

    def names(row):
        return [[line.label for line in panel.lines] for panel in row]

    return names(groups[number]) != names(groups[number + 1])


@dataclass(frozen=True)
class XAxis:
    """Logarithmic, or linear, from low to high. apart: where on it that stands which has no logarithm, beyond
    inner_low or inner_high, the limits of the rest."""

    low: float
    high: float
    inner_low: float
    inner_high: float
    apart: dict[float, float]
    linear: bool = False

    def at(self, value: float) -> float:
        return self.apart.get(value, value)

    def share(self, value: float) -> float:
        """Of the axis, up to this value."""
        if self.linear:
            return (value - self.low) / (self.high - self.low)
        return log_share(value, self.low, self.high)

    @property
    def middle(self) -> float:
        """In share, of what is not apart."""
        return (self.share(self.inner_low) + self.share(self.inner_high)) / 2


def log_share(value: float, low: float, high: float) -> float:
    return math.log(value / low) / math.log(high / low)


APART = 0.2  # of the axis


def _x_axis(panels) -> XAxis:
    points = [point for panel in panels for line in panel.lines for point in line.points]
    xs = {value for point in points for value in (point.x, point.x_low, point.x_high) if value is not None}
    if panels[0].x == "load":
        end = 1.04 * max(xs)
        return XAxis(0.0, end, 0.0, end, {}, linear=True)
    low, high = inner_low, inner_high = log_limits(sorted(xs - {RENDEZVOUS, UNBOUNDED}) or [1.0], 0.05)
    gap = (high / low) ** APART
    apart = {}
    if panels[0].x == "messages" and RENDEZVOUS in xs:
        apart[RENDEZVOUS] = inner_low / gap**0.6
        low = inner_low / gap
    if UNBOUNDED in xs:
        apart[UNBOUNDED] = inner_high * gap**0.6
        high = inner_high * gap
    return XAxis(low, high, inner_low, inner_high, apart)


def _limits(panels) -> dict[Panel, tuple[XAxis, tuple[float, float]]]:
    """x over all panels of the figure; y over the panels of a row."""
    xs = _x_axis(panels)
    result = {}
    for panel in panels:
        ys = [
            bound
            for other in panels
            if other.row == panel.row
            for line in other.lines
            for point in line.points
            for bound in (*spread_of(point.y)[:2], point.y.value)
        ]
        result[panel] = (xs, log_limits(ys))
    return result


def _x_ticks(panel: Panel, sizes: list[float], x_axis: XAxis, width: float):
    low, high = x_axis.inner_low, x_axis.inner_high
    if panel.x == "load":
        ticks = [20.0 * i for i in range(round(high / 20) + 1) if 20.0 * i <= high]
    elif panel.x == "gap":
        ticks = [10.0**e for e in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)]
    elif panel.x == "nines":
        ticks = [10.0**e for e in range(0, 13) if 10.0**e <= high]
    elif panel.x == "bytes":
        ticks = sizes
        powers = [2.0**e for e in range(math.ceil(math.log2(low)), math.floor(math.log2(high)) + 1)]
        if len(ticks) > 8 or len(ticks) < 3 <= len(powers):
            ticks = powers
    else:
        ticks = [10.0**e for e in range(0, 13) if low <= 10.0**e <= high]
        if len(ticks) < 3:
            ticks = [2.0**e for e in range(0, 40) if low <= 2.0**e <= high]
    labels = [tick_text(panel.x, tick) for tick in ticks]
    ticks, labels = _thin(ticks, labels, x_axis.share, width)

    def clear(tick, label, place, other):
        room = (text_width(label) + text_width(other)) / 2 + 7
        return abs(width * (x_axis.share(tick) - x_axis.share(place))) >= room

    apart = [(place, APART_TICKS[value]) for value, place in x_axis.apart.items()]
    kept = [item for item in zip(ticks, labels) if all(clear(*item, *other) for other in apart)]
    return [tick for tick, _ in kept + apart], [label for _, label in kept + apart]


def _thin(ticks, labels, share, width, overhang=math.inf):
    """Every tick whose label has room, or every second, third ... so that the rest is regular. Labels may stand over
    the ends of the axis by `overhang`. share: of the axis, up to a value."""

    def place(tick):
        return width * share(tick)

    def inside(tick, label):
        return text_width(label) / 2 - overhang <= place(tick) <= width + overhang - text_width(label) / 2

    inner = [(tick, label) for tick, label in zip(ticks, labels) if inside(tick, label)]
    kept: list[tuple[float, str]] = []
    for step in range(1, len(inner) + 1):
        kept = inner[::step]
        clear = all(
            place(b) - place(a) >= (text_width(a_text) + text_width(b_text)) / 2 + 9
            for (a, a_text), (b, b_text) in zip(kept, kept[1:])
        )
        if clear:
            break
    return [tick for tick, _ in kept], [label for _, label in kept]


def _draw_panel(canvas: Canvas, axes, panel: Panel, limits, sizes, style: Style, dashes, box, layout: Layout):
    x_axis, (y_low, y_high) = limits
    x_low, x_high = x_axis.low, x_axis.high
    left, top, width, height = box
    axes.set_xscale("linear" if x_axis.linear else "log")
    axes.set_yscale("log")
    axes.set_xlim(x_low, x_high)
    axes.set_ylim(y_low, y_high)
    x_ticks, x_labels = _x_ticks(panel, sizes, x_axis, width)
    y_ticks = log_ticks(y_low, y_high)
    for axis, ticks, labels in (
        (axes.xaxis, x_ticks, x_labels),
        (axes.yaxis, y_ticks, [tick_text(panel.y, tick) for tick in y_ticks]),
    ):
        axis.set_major_locator(FixedLocator(ticks))
        axis.set_minor_locator(NullLocator())
        axis.set_ticklabels(labels)
    axes.grid(axis="y", color=GRID, linewidth=1)
    axes.set_axisbelow(True)

    def pixel(x, y):
        return (
            left + width * x_axis.share(x),
            top + height * (1 - log_share(y, y_low, y_high)),
        )

    canvas.text(left + width * x_axis.middle, top + height + 34, AXIS_TITLES[panel.x], colour=MUTED, align="center")
    for value, place in x_axis.apart.items():
        canvas.text(pixel(place, y_low)[0], top + height + 34, APART_TITLES[value], colour=MUTED, align="center")
        border = x_axis.inner_low if value == RENDEZVOUS else x_axis.inner_high
        axes.axvline(border, color=MUTED, linewidth=0.8, linestyle=(0, (1, 3)), zorder=1)

    if panel.bound is not None and y_low < panel.bound < y_high:
        axes.axhline(panel.bound, color=MUTED, linewidth=1, linestyle=(0, (6, 4)), zorder=1)

    ends = []
    for number, line in enumerate(panel.lines):
        def aside(most, room):
            gap = min(most, room / len(panel.lines))
            return 1.0 if x_axis.linear else (x_high / x_low) ** (gap * (number - (len(panel.lines) - 1) / 2) / width)

        factors = (aside(DODGE if panel.x == "bytes" else 0, 22), aside(DODGE_APART, 0.1 * width))
        colour, marker = style.colour(line.transport), style.marker(line.transport)
        xs = [x_axis.at(point.x) * factors[point.x in x_axis.apart] for point in line.points]
        _draw_line(axes, x_axis, line, xs, colour, marker, dashes[line.label])
        ends.append(pixel(xs[-1], line.points[-1].y.value))
    if layout.labels_beside:
        places = spread([y for _, y in ends], KEY_GAP, top + 2, top + height)
        key_x = left + width + 22
        for line, (end_x, end_y), y in zip(panel.lines, ends, places):
            canvas.leader(end_x + 5, end_y, key_x - 4, y)
            colour, marker = style.colour(line.transport), style.marker(line.transport)
            canvas.key(key_x, y, colour, marker, dashes[line.label], line.label)


DODGE = 2  # px between the marks of two lines at one size, so that their bars do not hide each other
DODGE_APART = 6  # px between those that all lines have at one place beside the axis


def _draw_line(axes, x_axis: XAxis, line: Line, xs: list[float], colour: str, marker: str, dash):
    """xs: where its points stand."""
    ys = [point.y.value for point in line.points]
    joined = [(x, y) for x, y, point in zip(xs, ys, line.points) if point.x not in x_axis.apart]
    if joined:
        axes.plot(*zip(*joined), color=colour, linewidth=1.6, linestyle=dash, clip_on=False, zorder=3)
    for is_interval, width in ((True, 2.2), (False, 0.9)):
        bars = [
            [(x, low), (x, high)]
            for x, point in zip(xs, line.points)
            for low, high, interval in [spread_of(point.y)]
            if interval == is_interval and high > low
        ]
        if bars:
            axes.add_collection(
                LineCollection(bars, colors=colour, linewidths=width, alpha=0.55, clip_on=False, zorder=3.5)
            )
    ranges = [
        [(x_axis.at(point.x_low), point.y.value), (x_axis.at(point.x_high), point.y.value)]
        for point in line.points
        if point.x_low is not None and point.x_low != point.x_high
    ]
    if ranges:
        axes.add_collection(LineCollection(ranges, colors=colour, linewidths=0.9, clip_on=False, zorder=3.5))
    for noisy in (False, True):
        chosen = [(x, y) for x, y, point in zip(xs, ys, line.points) if point.noisy == noisy]
        if chosen:
            _marks(axes, chosen, marker, colour, hollow=noisy)
    ringed = [(x, y) for x, y, point in zip(xs, ys, line.points) if point.ringed]
    if ringed:
        axes.plot(*zip(*ringed), "o", markersize=13, markerfacecolor="none", markeredgecolor=INK, markeredgewidth=0.9,
                  clip_on=False, zorder=5)  # fmt: skip
    for x, y, point in zip(xs, ys, line.points):
        if point.x_open:
            axes.annotate("", xy=(x, y), xytext=(24, 0), textcoords="offset points", annotation_clip=False,
                          arrowprops={"arrowstyle": "<-", "color": colour, "linewidth": 0.9})  # fmt: skip


def _marks(axes, points, marker: str, colour: str, *, hollow: bool):
    axes.plot(
        *zip(*points),
        marker=marker,
        linestyle="none",
        markersize=6.5,
        markerfacecolor=PAPER if hollow else colour,
        markeredgecolor=colour if hollow else PAPER,
        markeredgewidth=1.3 if hollow else 0.6,
        clip_on=False,
        zorder=4,
    )


def _key_columns(panel: Panel, span: float) -> int:
    widest = max(text_width(line.label) for line in panel.lines)
    return 2 if widest + KEY_INDENT + 8 <= span / 2 else 1


def _key_height(panel: Panel, span: float) -> float:
    return math.ceil(len(panel.lines) / _key_columns(panel, span)) * (KEY_GAP + 2) + 26


def _draw_key(canvas: Canvas, panel: Panel, style: Style, dashes, x: float, y: float, span: float):
    columns = _key_columns(panel, span)
    per_column = math.ceil(len(panel.lines) / columns)
    for number, line in enumerate(panel.lines):
        column, row = divmod(number, per_column)
        colour, marker = style.colour(line.transport), style.marker(line.transport)
        place = (x + column * span / 2, y + row * (KEY_GAP + 2))
        canvas.key(*place, colour, marker, dashes[line.label], line.label)


# --- dots -----------------------------------------------------------------------------------------------------------


VALUE_WIDTH = 70
NARROW_LABELS = 0.4  # of a narrow picture, that labels beside the dots may take


def _with_heads(rows) -> list[DotRow | str]:
    """Before each group its name, if there are several."""
    if len({row.group for row in rows}) < 2:
        return rows
    result: list[DotRow | str] = []
    group = ""
    for row in rows:
        if row.group != group:
            group = row.group
            result.append(group)
        result.append(row)
    return result


def _dot_values(figure: Figure, columns) -> list[float]:
    return [
        bound
        for row in figure.rows
        for dot in (row.dots[column] for column in columns)
        if dot
        for bound in (*spread_of(dot.value)[:2], dot.value.value, *([dot.tail.value] if dot.tail else []))
    ]


def draw_dots(figure: Figure, layout: Layout, footer: list[str]):
    style = Style(row.transport for row in figure.rows)
    heads = [row for row in _with_heads(figure.rows) if isinstance(row, str)]
    label_width = max(*(text_width(row.label) + 40 for row in figure.rows), *(text_width(head) + 12 for head in heads), 0)
    beside = layout.labels_beside or label_width <= NARROW_LABELS * layout.width
    row_height = 21 if beside else 34
    if not beside:
        label_width = 0
    most = 3 if layout.labels_beside else 1
    bands = [range(i, min(i + most, len(figure.columns))) for i in range(0, len(figure.columns), most)]
    bands = [band for band in bands if any(row.dots[i] for row in figure.rows for i in band)]
    across, across_all = len(bands[0]), len(figure.columns)
    span = (layout.width - label_width) / across
    head = _head_height(figure, layout)
    kept = {band: _with_heads([row for row in figure.rows if any(row.dots[i] for i in band)]) for band in bands}
    band_heights = [34 + len(kept[band]) * row_height + 40 for band in bands]
    canvas = Canvas(layout.width, head + sum(band_heights) + (16 * len(footer) + 10 if layout.titled else 0))
    _draw_head(canvas, figure, layout)
    limits = [log_limits(_dot_values(figure, (i,) if figure.ys else range(across_all)), 0.04) for i in range(across_all)]
    top = head
    for band, band_height in zip(bands, band_heights):
        rows = kept[band]
        if beside:
            for number, row in enumerate(rows):
                y = top + 34 + (number + 0.5) * row_height
                if isinstance(row, str):
                    canvas.text(4, y + 2, row, colour=MUTED)
                    continue
                canvas.key(4, y, style.colour(row.transport), style.marker(row.transport), "none", row.label)
        for place, column in enumerate(band):
            left = label_width + place * span
            width = span - VALUE_WIDTH - 10 if beside else layout.width - 12
            left += 0 if beside else 6
            _draw_dot_column(canvas, figure, column, rows, style, (left, top, width, row_height), limits[column], beside)
        top += band_height
    if layout.titled:
        _draw_footer(canvas, footer)
    return canvas.figure


def _draw_dot_column(canvas: Canvas, figure: Figure, column: int, rows, style: Style, box, limits, beside: bool):
    left, top, width, row_height = box
    kind = figure.ys[column] if figure.ys else figure.y
    show = {"time": units.time, "rate": units.rate}[kind]
    height = len(rows) * row_height
    right = left + width + (VALUE_WIDTH - 4 if beside else 0)
    title, room = figure.columns[column], width if beside else width - text_width(figure.value_title) - 12
    if text_width(title, 13, bold=True) > room:
        title = title.split(":")[0]
    canvas.text(left, top + 14, title, bold=True, size=13)
    canvas.text(right, top + (28 if beside else 14), figure.value_title, colour=MUTED, align="right")
    axes = canvas.axes(left, top + 34, width, height)
    axes.set_xscale("log")
    axes.set_xlim(*limits)
    axes.set_ylim(len(rows), 0)
    ticks = log_ticks(*limits)
    labels = [tick_text(kind, tick) for tick in ticks]
    ticks, labels = _thin(ticks, labels, lambda value: log_share(value, *limits), width, overhang=6)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_ticklabels(labels)
    axes.yaxis.set_major_locator(NullLocator())
    axes.grid(axis="x", color=GRID, linewidth=1)
    axes.set_axisbelow(True)
    rules = [[(limits[0], number), (limits[1], number)] for number in range(len(rows))]
    axes.add_collection(LineCollection(rules, colors=GRID, linewidths=0.5, zorder=0.5))
    for number, row in enumerate(rows):
        if isinstance(row, str):
            if not beside:
                canvas.text(left, top + 34 + (number + 0.6) * row_height, row, colour=MUTED)
            continue
        dot = row.dots[column]
        y = number + (0.5 if beside else 0.72)
        text_y = top + 34 + (number + (0.5 if beside else 0.3)) * row_height
        colour = style.colour(row.transport)
        text = show(dot.value.value) if dot else units.MISSING
        if not beside:
            canvas.key(left, text_y, colour, style.marker(row.transport), "none", row.label)
        canvas.text(right, text_y, text, align="right", colour=INK if dot else MUTED)
        if not dot:
            continue
        if dot.tail:
            axes.plot([dot.value.value, dot.tail.value], [y, y], color=colour, linewidth=1.1, alpha=0.6, clip_on=False)
            axes.plot([dot.tail.value], [y], "|", color=colour, markersize=8, markeredgewidth=1.4, clip_on=False)
        low, high, interval = spread_of(dot.value)
        axes.plot([low, high], [y, y], color=colour, linewidth=4.5 if interval else 1.6, alpha=0.4, clip_on=False,
                  solid_capstyle="butt")  # fmt: skip
        _marks(axes, [(dot.value.value, y)], style.marker(row.transport), colour, hollow=dot.noisy)


# --- maps -----------------------------------------------------------------------------------------------------------

LARGEST_CELL = 84
MAP_LEFT, MAP_TOP, MAP_BELOW = 40, 56, 66
BORDERS = dict(zip(LEVELS, (3.2, 2.6, 2.0, 1.4, 0.9)))  # px


def draw_maps(figure: Figure, layout: Layout, footer: list[str]):
    across = min(layout.columns, len(figure.maps))
    span = layout.width / across
    side = min(span - MAP_LEFT - 24, LARGEST_CELL * max(len(one.pus) for one in figure.maps))
    head = _head_height(figure, layout)
    bands = math.ceil(len(figure.maps) / across)
    band_height = MAP_TOP + side + MAP_BELOW
    canvas = Canvas(layout.width, head + bands * band_height + (16 * len(footer) + 10 if layout.titled else 0))
    _draw_head(canvas, figure, layout)
    for number, one in enumerate(figure.maps):
        band, place = divmod(number, across)
        _draw_map(canvas, one, place * span, head + band * band_height, side)
    if layout.titled:
        _draw_footer(canvas, footer)
    return canvas.figure


def heat_limits(one: HeatMap) -> tuple[float, float]:
    values = [cell.value.value for cell in one.cells]
    return log_limits(values, 0)


def heat_step(value: float, limits: tuple[float, float]) -> int:
    return min(max(int(len(HEAT) * log_share(value, *limits)), 0), len(HEAT) - 1)


def cell_texts(one: HeatMap) -> tuple[list[str], str]:
    """Of every cell, in one unit, and that unit."""
    factor, unit = units.scale_of_times(min(cell.value.value for cell in one.cells))
    return [units.significant(cell.value.value / factor, 2 if cell.value.value < 100 * factor else 3) for cell in one.cells], unit


def _draw_map(canvas: Canvas, one: HeatMap, left: float, top: float, side: float):
    count = len(one.pus)
    cell_px = side / count
    limits = heat_limits(one)
    texts, unit = cell_texts(one)
    canvas.text(left + 4, top + 14, one.title, bold=True, size=13)
    x0, y0 = left + MAP_LEFT, top + MAP_TOP
    axes = canvas.axes(x0, y0, side, side)
    axes.spines["bottom"].set_visible(False)
    axes.set_xlim(0, count)
    axes.set_ylim(count, 0)
    axes.xaxis.set_major_locator(NullLocator())
    axes.yaxis.set_major_locator(NullLocator())
    size = next((size for size in (12, 11, 10, 9) if max(text_width(text, size) for text in texts) + 4 <= cell_px), None)
    for row in range(count):
        for column in range(count):
            axes.add_patch(Rectangle((column, row), 1, 1, facecolor="none", edgecolor=GRID, linewidth=0.6))
    for cell, text in zip(one.cells, texts):
        step = heat_step(cell.value.value, limits)
        axes.add_patch(Rectangle((cell.column, cell.row), 1, 1, facecolor=HEAT[step][0], edgecolor=PAPER, linewidth=0.6))
        ink = PAPER if step >= HEAT_DARK else INK
        if cell.noisy:
            corner = [(cell.column + 1, cell.row), (cell.column + 0.72, cell.row), (cell.column + 1, cell.row + 0.28)]
            axes.add_patch(Polygon(corner, facecolor=ink, edgecolor="none"))
        if size:
            canvas.text(x0 + (cell.column + 0.5) * cell_px, y0 + (cell.row + 0.5) * cell_px, text, size=size, colour=ink,
                        align="center")  # fmt: skip
    for place, level in one.borders:
        for ends in (([place, place], [0, count]), ([0, count], [place, place])):
            axes.plot(*ends, color=INK, linewidth=BORDERS[level], clip_on=False, solid_capstyle="butt", zorder=4)
    labels = [str(pu) for pu in one.pus]
    every = math.ceil((max(map(text_width, labels)) + 6) / cell_px)
    for place in range(0, count, every):
        at = (place + 0.5) * cell_px
        canvas.text(x0 + at, y0 - 12, labels[place], colour=MUTED, align="center")
        canvas.text(x0 - 8, y0 + at, labels[place], colour=MUTED, align="right")
    _draw_heat_key(canvas, limits, unit if size else "", x0, y0 + side + 18, side)


def _draw_heat_key(canvas: Canvas, limits: tuple[float, float], unit: str, left: float, top: float, side: float):
    """The steps with the times where the scale begins and ends; unit: of the figures in the cells."""
    low, high = (units.time(limit) for limit in limits)
    step = 18
    x = left + text_width(low) + 8
    canvas.text(left, top + 7, low, colour=MUTED)
    for i, (colour, _) in enumerate(HEAT):
        canvas.over.add_patch(Rectangle((x + i * step, top), step, 14, facecolor=colour, edgecolor="none"))
    canvas.text(x + len(HEAT) * step + 8, top + 7, high, colour=MUTED)
    if unit:
        canvas.text(left, top + 30, f"figures in {unit}", colour=MUTED)


# --- frame ----------------------------------------------------------------------------------------------------------


def _head_height(figure: Figure, layout: Layout) -> float:
    return 62 if layout.titled else 0


def _draw_head(canvas: Canvas, figure: Figure, layout: Layout):
    if layout.titled:
        canvas.text(4, 18, figure.title, size=17, bold=True)
        canvas.text(4, 41, figure.subtitle, size=13, colour=MUTED)


def _draw_footer(canvas: Canvas, footer: list[str]):
    for number, line in enumerate(reversed(footer)):
        canvas.text(4, canvas.height - 12 - 16 * number, line, size=11, colour=MUTED)


def draw(figure: Figure, layout: Layout, footer: list[str]):
    settings = {
        "svg.fonttype": "none",
        "svg.hashsalt": figure.name,
        "font.family": FONT,
        "font.size": TEXT,
        "path.simplify": False,
    }
    with matplotlib.rc_context(settings):
        draw_it = draw_lines if figure.panels else draw_maps if figure.maps else draw_dots
        return draw_it(figure, layout, footer)


def _svg_text(picture, name: str) -> str:
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        picture.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def inline_svg(figure: Figure, layout: Layout, name: str) -> str:
    """The figure without title and footer, for a page that gives them itself."""
    picture = draw(figure, layout, [])
    root = svg.shrink(_svg_text(picture, name), name, figure.alt)
    pyplot.close(picture)
    return svg.inline(root, VARIABLES)


def save(figure: Figure, directory: Path, footer: list[str]) -> list[Path]:
    """NAME.svg, and NAME.png at twice the size, with title and footer, on the light theme's background."""
    notes = [line for note in figure.notes for line in wrap(note, SLIDE.width - 12, 11)]
    picture = draw(figure, SLIDE, notes + footer)
    vector, bitmap = directory / f"{figure.name}.svg", directory / f"{figure.name}.png"
    root = svg.shrink(_svg_text(picture, figure.name), figure.name, figure.alt)
    vector.write_text(svg.standalone(root), encoding="utf-8")
    picture.savefig(bitmap, dpi=2 * DPI, facecolor="white", metadata={"Software": None})
    pyplot.close(picture)
    return [vector, bitmap]
