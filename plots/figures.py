"""What is drawn: picks cases out of result files and lays them out as figures, as plain data. See drawing.py for how.

Cases that differ in more than the two axes and the line never share a panel: placement and the way of waiting make
panels; transport, wait, access and limits make lines; anything else unusual makes a figure of its own. Where waits
are set side by side, each is a row, and each panel another metric.
Invalid results are left out and listed in the figure's notes.
"""

import math
from collections import Counter
from dataclasses import dataclass, replace

import units
from results import (
    Case,
    CaseSeries,
    Estimate,
    ResultFile,
    duration_ns,
    estimate_over,
    merge_capacities,
    percentile_over,
    round_trip_over,
    spectrum_over,
)

SPINNING = ("spin", "yield", "adaptive")
PLACEMENTS = {
    "same_pu": "both processes on one processor",
    "same_core": "two hardware threads of one core",
    "same_l2": "two cores that share an L2 cache",
    "same_l3": "two cores that share an L3 cache",
    "same_package": "two cores of one package",
    "same_numa": "two cores of one NUMA node",
    "cross_numa": "two NUMA nodes",
    "cross_package": "two packages",
    "unpinned": "placed by the scheduler",
}
TRANSPORTS = (
    "pipe",
    "fifo",
    "posix_mq",
    "sysv_mq",
    "posix_shm",
    "sysv_shm",
    "unix_stream",
    "unix_dgram",
    "unix_seqpacket",
    "tcp",
    "tcp_nagle",
    "udp",
    "null",
)


RENDEZVOUS, UNBOUNDED = 0.0, math.inf  # places of their own on the axis of messages


@dataclass(frozen=True)
class Point:
    x: float
    y: Estimate
    noisy: bool
    x_low: float | None = None
    x_high: float | None = None
    x_open: bool = False  # at least x
    ringed: bool = False  # set apart: the capacity nobody asked for, the knee of a load curve


@dataclass(frozen=True)
class Line:
    transport: str  # whose colour and marker it has
    label: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Panel:
    """x: bytes | messages | load | gap | nines; y: time | rate | bandwidth. row: panels of one row share their y axis."""

    title: str
    row: int
    column: int
    x: str
    y: str
    lines: tuple[Line, ...]
    bound: float | None = None  # of y, drawn across


@dataclass(frozen=True)
class Dot:
    value: Estimate
    tail: Estimate | None
    noisy: bool


@dataclass(frozen=True)
class DotRow:
    transport: str
    label: str
    dots: tuple[Dot | None, ...]  # one for each column
    group: str = ""  # neighbours of one group stand under its name


@dataclass(frozen=True)
class Cell:
    """Between two of a map's processors, by their places in it."""

    row: int
    column: int
    value: Estimate
    noisy: bool


@dataclass(frozen=True)
class HeatMap:
    """Processors by processors, in hwloc's order. borders: before which place of them what begins."""

    title: str
    pus: tuple[int, ...]
    borders: tuple[tuple[int, str], ...]  # package | numa_node | l3 | l2 | core
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Figure:
    """Without panels and rows nothing is drawn of it: what it would show was measured, but its notes say all."""

    name: str  # of its files, without suffix
    title: str
    subtitle: str
    caption: str
    alt: str
    notes: tuple[str, ...]
    panels: tuple[Panel, ...] = ()
    y: str = "time"  # of the dots
    value_title: str = ""  # what stands in figures beside the dots
    columns: tuple[str, ...] = ()  # titles over the dots
    ys: tuple[str, ...] = ()  # of each column, where each has an axis of its own
    rows: tuple[DotRow, ...] = ()
    maps: tuple[HeatMap, ...] = ()


@dataclass(frozen=True)
class Entry:
    """One case of one file. source: the letter of the file, empty when there is only one."""

    source: str
    series: CaseSeries

    @property
    def case(self) -> Case:
        return self.series.case

    @property
    def grade(self) -> str:
        return self.series.verdict.grade


def entries_of(files: list[ResultFile]) -> list[Entry]:
    letters = source_letters(files)
    return [Entry(letter, series) for letter, file in zip(letters, files) for series in file.series]


def source_letters(files: list[ResultFile]) -> list[str]:
    """A, B ... Z, then #27 ...: what tells several files apart in labels."""
    if len(files) == 1:
        return [""]
    return [chr(ord("A") + i) if i < 26 else f"#{i + 1}" for i in range(len(files))]


# --- words ----------------------------------------------------------------------------------------------------------


def family(case: Case) -> str:
    """Whether the waiting sides sleep or keep their processor."""
    kinds = {"spinning" if wait in SPINNING else "asleep" for wait in (case.send_wait, case.receive_wait)}
    return kinds.pop() if len(kinds) == 1 else "mixed"


FAMILY_TITLES = {"asleep": "waits asleep", "spinning": "waits spinning", "mixed": "one side asleep, one spinning"}


def conditions(case: Case, *, but_capacity: bool = False, but: tuple[str, ...] = ()) -> tuple:
    """What must be equal for two cases to share a figure, beside workload, size and placement. but: further
    parameters that may differ."""
    capacity = "" if but_capacity else case.capacity
    further = case.further_but(*but, *(("rendezvous",) if but_capacity else ()))
    return (capacity, case.senders, case.receivers, case.touch, case.sched, further)


STANDARD = ("default", 1, 1, "full", "other", "")


def conditions_text(key: tuple) -> str:
    capacity, senders, receivers, touch, sched, further = key
    words = []
    if capacity == "unbounded":
        words.append(capacity)
    elif capacity not in ("", "default") and not further.startswith("rendezvous"):
        words.append("rendezvous" if capacity == "0" else f"capacity {capacity}")
    if (senders, receivers) != (1, 1):
        words.append(f"{units.plural(senders, 'sender')}, {units.plural(receivers, 'receiver')}")
    if touch != "full":
        words.append(f"touch {touch}")
    if sched != "other":
        words.append(f"sched {sched}")
    if further:
        words.append(further)
    return ", ".join(words)


def variant_text(case: Case, source: str = "") -> str:
    """'spin, loan, raised limits': what a transport's name leaves open."""
    words = [case.wait]
    if case.access != "copy":
        words.append(case.access)
    if case.limits != "host":
        words.append(f"{case.limits} limits")
    if source:
        words.append(source)
    return ", ".join(words)


def line_label(case: Case, source: str, plain_wait: str | None) -> str:
    words = ["null (harness floor)" if case.transport == "null" else case.transport]
    if case.wait != plain_wait:
        words.append(case.wait)
    if case.access != "copy":
        words.append(case.access)
    if case.limits != "host":
        words.append(case.limits)
    if source:
        words.append(f"({source})")
    return " ".join(words)


def size_text(case: Case) -> str:
    size = units.message_size(case.message_bytes)
    return f"up to {size}" if case.mix else size


def placement_text(placement: str) -> str:
    meaning = PLACEMENTS.get(placement)
    return f"{placement}: {meaning}" if meaning else f"processors {placement}"


def transport_order(name: str) -> tuple:
    return (TRANSPORTS.index(name) if name in TRANSPORTS else len(TRANSPORTS), name)


def placement_order(name: str) -> tuple:
    known = list(PLACEMENTS)
    return (known.index(name) if name in known else len(known), name)


def slug(text: str) -> str:
    return "-".join("".join(c if c.isascii() and (c.isalnum() or c == "_") else " " for c in text).split())[:80]


def usual_conditions(entries: list[Entry]) -> tuple | None:
    """The conditions that most cases were measured under; the standard ones where any was."""
    counts = Counter(conditions(entry.case) for entry in entries)
    if not counts:
        return None
    return STANDARD if STANDARD in counts else counts.most_common(1)[0][0]


def small_size(entries: list[Entry]) -> int | None:
    """64 B where it was measured, else the smallest size."""
    sizes = {entry.case.message_bytes for entry in entries}
    return 64 if 64 in sizes else min(sizes, default=None)


# --- lines ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Metric:
    title: str
    workload: str
    y: str
    of: object  # (list[CaseSeries]) -> Estimate | None; of a spectrum a list of them


RTT_P50 = Metric("RTT p50", "ping_pong", "time", lambda series: round_trip_over(series, "p50_ns"))
RTT_P99 = Metric("RTT p99", "ping_pong", "time", lambda series: round_trip_over(series, "p99_ns"))
CPU = Metric("CPU per message", "stream", "time", lambda series: estimate_over(series, "cpu_ns_per_message"))
CPU_OF_ROUND_TRIP = Metric("CPU per round trip", "ping_pong", "time", CPU.of)
MESSAGE_RATE = Metric("Messages per second", "stream", "rate", lambda series: estimate_over(series, "messages_per_second"))
BANDWIDTH = Metric("GB per second", "stream", "bandwidth", lambda series: estimate_over(series, "bytes_per_second"))


def line_key(entry: Entry) -> tuple:
    case = entry.case
    return (transport_order(case.transport), case.wait, case.access, case.limits, entry.source)


def size_points(group: list[Entry], metric: Metric) -> list[Point]:
    points = []
    for entry in sorted(group, key=lambda entry: entry.case.message_bytes):
        estimate = metric.of([entry.series])
        if estimate:
            points.append(Point(entry.case.message_bytes, estimate, entry.grade == "noisy"))
    return points


def capacity_points(group: list[Entry], metric: Metric) -> list[Point]:
    """Cases that turned out to fit the same number of messages are one point over all their launches. Not so a
    native rendezvous and an acknowledged one, which are two ways to hold nothing."""
    by_place: dict[tuple, list[Entry]] = {}
    for entry in group:
        place = capacity_place(entry)
        if place:
            by_place.setdefault((*place, entry.case.rendezvous), []).append(entry)
    points = []
    for (low, high, _), same in sorted(by_place.items()):
        estimate = metric.of([entry.series for entry in same])
        if estimate:
            known = [entry.series.capacity for entry in same if entry.series.capacity.fits]
            points.append(
                Point(
                    x=high if high in (RENDEZVOUS, UNBOUNDED) else (max(low, 1) * high) ** 0.5,
                    y=estimate,
                    noisy=any(entry.grade == "noisy" for entry in same),
                    x_low=max(low, 1) if high else low,
                    x_high=high,
                    x_open=bool(known) and high < UNBOUNDED and merge_capacities(known).fits.lower_bound,
                    ringed=any(entry.case.capacity == "default" for entry in same),
                )
            )
    return points


def capacity_place(entry: Entry) -> tuple[float, float] | None:
    """Least and most messages that fit; a link without a bound is beyond whatever a probe put in."""
    if entry.case.capacity == "unbounded":
        return UNBOUNDED, UNBOUNDED
    if entry.case.capacity == "0":
        return RENDEZVOUS, RENDEZVOUS
    fits = entry.series.capacity.fits
    return (fits.minimum, fits.maximum) if fits else None


def line_panels(entries: list[Entry], metrics: list[Metric], x: str, points_of) -> tuple[Panel, ...]:
    """A row for each metric, a column for each way of waiting that occurs."""
    families = [name for name in FAMILY_TITLES if any(family(entry.case) == name for entry in entries)]
    panels = []
    for row, metric in enumerate(metrics):
        for column, name in enumerate(families):
            groups: dict[tuple, list[Entry]] = {}
            for entry in entries:
                if family(entry.case) == name and entry.case.workload == metric.workload:
                    groups.setdefault(line_key(entry), []).append(entry)
            plain_wait = {"asleep": "block", "spinning": "spin"}.get(name)
            lines = []
            for key in sorted(groups):
                points = points_of(groups[key], metric)
                if points:
                    first = groups[key][0]
                    label = line_label(first.case, first.source, plain_wait)
                    lines.append(Line(first.case.transport, label, tuple(points)))
            if lines:
                title = f"{metric.title} · {FAMILY_TITLES[name]}"
                panels.append(Panel(title, row, column, x, metric.y, tuple(lines)))
    return tuple(panels)


def split_invalid(entries: list[Entry]) -> tuple[list[Entry], list[str]]:
    drawn = [entry for entry in entries if entry.grade != "invalid"]
    notes = [
        f"{entry.case.transport} ({variant_text(entry.case, entry.source)}), "
        f"{units.message_size(entry.case.message_bytes)}, {entry.case.workload}"
        for entry in entries
        if entry.grade == "invalid"
    ]
    return drawn, notes


def notes_of(invalid: list[str], extra: tuple[str, ...] = ()) -> tuple[str, ...]:
    return ((f"Not drawn, because invalid: {'; '.join(invalid)}.",) if invalid else ()) + extra


def groups_by(entries: list[Entry], key) -> list[tuple[tuple, list[Entry]]]:
    groups: dict[tuple, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(key(entry.case), []).append(entry)
    return sorted(groups.items(), key=lambda item: (placement_order(item[0][0]), item[0][1:]))


HOW_TO_READ_SPREAD = (
    "Bars: 95 % interval of the median over launches; thin, their whole range where fewer than six give no interval. "
    "Hollow marks: noisy."
)


def by_size(entries: list[Entry], name: str, title: str, metrics: list[Metric], how: str) -> list[Figure]:
    """Lines that were measured at more than one size."""
    figures = []
    workload = metrics[0].workload
    chosen = [entry for entry in entries if entry.case.workload == workload]
    for (placement, *rest), group in groups_by(chosen, lambda case: (case.placement, *conditions(case))):
        sizes: dict[tuple, set[int]] = {}
        for entry in group:
            sizes.setdefault(line_key(entry), set()).add(entry.case.message_bytes)
        drawn, invalid = split_invalid([entry for entry in group if len(sizes[line_key(entry)]) > 1])
        panels = line_panels(drawn, metrics, "bytes", size_points)
        if not panels:
            continue
        special = conditions_text(tuple(rest))
        figures.append(
            Figure(
                name="-".join(filter(None, (name, slug(placement), slug(special)))),
                title=f"{title} against message size",
                subtitle=", ".join(filter(None, (placement_text(placement), special))),
                caption=f"{how} Shown is what was measured at more than one size; marks of one size are "
                f"set a little apart. {HOW_TO_READ_SPREAD}",
                alt=describe(panels),
                notes=notes_of(invalid),
                panels=panels,
            )
        )
    return figures


def by_capacity(entries: list[Entry]) -> list[Figure]:
    """Lines for which more than one capacity was asked."""
    figures = []
    chosen = [entry for entry in entries if entry.case.workload in ("stream", "ping_pong")]

    def key(case):
        return (case.placement, case.message_bytes, *conditions(case, but_capacity=True))

    for (placement, size, *rest), group in groups_by(chosen, key):
        asked: dict[tuple, set[str]] = {}
        for entry in group:
            asked.setdefault((entry.case.workload, line_key(entry)), set()).add(entry.case.capacity)
        swept = [entry for entry in group if len(asked[entry.case.workload, line_key(entry)]) > 1]
        drawn, invalid = split_invalid(swept)
        panels = line_panels(drawn, [MESSAGE_RATE, RTT_P50], "messages", capacity_points)
        if not panels:
            continue
        unknown = [
            f"{entry.case.transport} ({variant_text(entry.case, entry.source)}), asked {entry.case.capacity}"
            for entry in drawn
            if not capacity_place(entry)
        ]
        extra = (f"Not drawn, because it is not known what fits: {'; '.join(unknown)}.",) if unknown else ()
        special = conditions_text(tuple(rest))
        figures.append(
            Figure(
                name="-".join(filter(None, ("capacity", f"{size}B", slug(placement), slug(special)))),
                title=f"Throughput and round-trip time against capacity, {units.message_size(size)} messages",
                subtitle=", ".join(filter(None, (placement_text(placement), special))),
                caption="The x axis is what really fits before a sender must wait, probed without a receiver, not what "
                "was asked; capacities that turned out the same are one point. Apart from the axis stand the rendezvous (0), in "
                "which nothing ever waits in the link, and at the other end links without a bound. A ring marks the "
                f"default, an arrow a link that was not yet full when the probe ended. {HOW_TO_READ_SPREAD}",
                alt=describe(panels),
                notes=notes_of(invalid, extra),
                panels=panels,
            )
        )
    return figures


SWEPT = ("rate", "gap")  # parameters along which cases are put in order
USUAL_RATE = "50%"  # where nobody asked for one


def rate_order(rate: str) -> tuple:
    """Rates by the second first, then those in percent."""
    rate = rate or USUAL_RATE
    return (rate.endswith("%"), float(rate.rstrip("%")))


# --- load -----------------------------------------------------------------------------------------------------------


def samples_metric(title: str, workload: str, samples: str, percentile: str) -> Metric:
    return Metric(title, workload, "time", lambda series: percentile_over(series, samples, percentile))


RESPONSE_P99 = samples_metric("Response p99", "paced", "response_ns", "p99_ns")
LOAD_METRICS = (  # a row of each, response and service beside it
    (
        samples_metric("Response p50", "paced", "response_ns", "p50_ns"),
        samples_metric("Service p50", "paced", "service_ns", "p50_ns"),
    ),
    (RESPONSE_P99, samples_metric("Service p99", "paced", "service_ns", "p99_ns")),
)


def load_of(series: CaseSeries) -> float | None:
    """Percent of the saturation that a launch itself was seen to reach: the median over launches."""
    shares = []
    for launch in series.launches:
        seen = {one.name: one.value for one in launch.observations}
        if seen.get("offered") and seen.get("saturation"):
            shares.append(100 * seen["offered"] / seen["saturation"])
    share = Estimate.of(shares)
    return share.value if share else None


def load_points(group: list[Entry], metric: Metric, knee: Entry | None) -> list[Point]:
    points = []
    for entry in sorted(group, key=lambda entry: load_of(entry.series)):
        estimate = metric.of([entry.series])
        if estimate:
            points.append(Point(load_of(entry.series), estimate, entry.grade == "noisy", ringed=entry is knee))
    return points


def knee_of(group: list[Entry], bound_ns: float) -> Entry | None:
    """Of cases of one line: the one with the highest load whose p99 response is under the bound."""
    under = []
    for entry in group:
        estimate = RESPONSE_P99.of([entry.series])
        if estimate and estimate.value < bound_ns:
            under.append(entry)
    return max(under, key=lambda entry: load_of(entry.series), default=None)


def by_load(entries: list[Entry]) -> list[Figure]:
    """Lines that were measured at more than one load."""
    figures = []
    chosen = [entry for entry in entries if entry.case.workload == "paced" and load_of(entry.series)]

    def key(case):
        return (case.placement, case.message_bytes, case.p99_bound, *conditions(case, but=("rate", "p99_bound")))

    for (placement, size, bound_text, *rest), group in groups_by(chosen, key):
        lines: dict[tuple, list[Entry]] = {}
        for entry in group:
            lines.setdefault(line_key(entry), []).append(entry)
        lines = {name: lines[name] for name in sorted(lines) if len(lines[name]) > 1}
        missed = [missed_text(line) for line in lines.values() if any(entry.grade == "invalid" for entry in line)]
        lines = {name: [entry for entry in line if entry.grade != "invalid"] for name, line in lines.items()}
        bound = duration_ns(bound_text) if bound_text else None
        knees = {name: knee_of(line, bound) if bound else None for name, line in lines.items()}
        panels = []
        for row, metrics in enumerate(LOAD_METRICS):
            for column, metric in enumerate(metrics):
                drawn = tuple(
                    Line(line[0].case.transport, line_label(line[0].case, line[0].source, None), tuple(points))
                    for name, line in lines.items()
                    if (points := load_points(line, metric, knees[name]))
                )
                if drawn:
                    across = bound if metric is RESPONSE_P99 else None
                    panels.append(Panel(metric.title, row, column, "load", metric.y, drawn, across))
        if not panels and not missed:
            continue
        special = conditions_text(tuple(rest))
        found = [
            knee_text(line, knees[name]) for name, line in lines.items() if line
        ] if bound else []  # fmt: skip
        figures.append(
            Figure(
                name="-".join(filter(None, ("load", f"{size}B", slug(placement), slug(special), slug(bound_text)))),
                title=f"Response and service time against load, {units.message_size(size)} messages",
                subtitle=", ".join(filter(None, (placement_text(placement), special))),
                caption="No case of these lines is valid: there is nothing to draw."
                if not panels
                else "Messages are due at times that do not depend on the receiver. The response time runs from when a "
                "message was due, the service time only from when the sender got to sending it: what a loop that waits "
                "for the receiver would show. Load is the offered rate in percent of what the same launch could move at "
                "most; where the offered rate was not reached, nothing is drawn."
                + (" A ring marks the knee, the highest load whose p99 response is under the dashed bound." if bound else "")
                + f" {HOW_TO_READ_SPREAD}",
                alt=describe(tuple(panels)) if panels else "",
                notes=(
                    *((f"Knee, p99 under {units.time(bound)}: {'; '.join(found)}.",) if found else ()),
                    *((f"Not drawn, because invalid: {'; '.join(missed)}.",) if missed else ()),
                ),
                panels=tuple(panels),
            )
        )
    return figures


def missed_text(line: list[Entry]) -> str:
    first = line[0]
    loads = sorted(load_of(entry.series) for entry in line if entry.grade == "invalid")
    return f"{line_label(first.case, first.source, None)} at {', '.join(f'{load:.0f} %' for load in loads)}"


def knee_text(line: list[Entry], knee: Entry | None) -> str:
    label = line_label(line[0].case, line[0].source, None)
    if knee is None:
        known = any(RESPONSE_P99.of([entry.series]) for entry in line)
        return f"{label} {'at none of these loads' if known else 'not known, for want of samples'}"
    offered = knee.series.observations["offered", "messages_per_second"]
    return f"{label} {load_of(knee.series):.0f} %, {units.rate(offered.value)}"


# --- percentile spectra ---------------------------------------------------------------------------------------------

NINES = (1, 4 / 3, 2, 4, 10, 20, 50, *(step * 10.0**e for e in range(2, 7) for step in (1, 2, 5)))  # 1 / (1 - fraction)
HOW_TO_READ_SPECTRUM = (
    "Each step of the axis to the right is a ten times rarer delay. The samples of all launches are pooled, and a line ends "
    "where fewer than 100 of them lie beyond; thin bars: the range over single launches. Hollow marks: noisy."
)


def spectrum_metric(title: str, workload: str, samples: str) -> Metric:
    fractions = tuple(1 - 1 / x for x in NINES)
    return Metric(title, workload, "time", lambda series: spectrum_over(series, samples, fractions))


RTT_SPECTRUM = spectrum_metric("RTT", "ping_pong", "round_trip_ns")
LOAD_SPECTRA = (
    spectrum_metric("Response time", "paced", "response_ns"),
    spectrum_metric("Service time", "paced", "service_ns"),
)


def spectrum_points(group: list[Entry], metric: Metric) -> list[Point]:
    """None where the samples do not even reach from the median to a tail."""
    noisy = any(entry.grade == "noisy" for entry in group)
    points = [Point(x, value, noisy) for x, value in zip(NINES, metric.of([entry.series for entry in group]))]
    return points if points and points[-1].x > 2 else []


def round_trip_spectra(entries: list[Entry]) -> list[Figure]:
    """Of the small size under the usual conditions, as the overview; a figure for each placement."""
    chosen = [entry for entry in entries if entry.case.workload == "ping_pong"]
    rest = usual_conditions(chosen)
    chosen = [entry for entry in chosen if conditions(entry.case) == rest]
    size = small_size(chosen)
    chosen = [entry for entry in chosen if entry.case.message_bytes == size]
    figures = []
    for (placement,), group in groups_by(chosen, lambda case: (case.placement,)):
        drawn, invalid = split_invalid(group)
        panels = line_panels(drawn, [RTT_SPECTRUM], "nines", spectrum_points)
        if not panels:
            continue
        special = conditions_text(rest)
        figures.append(
            Figure(
                name="-".join(filter(None, ("rtt-spectrum", slug(placement), slug(special)))),
                title=f"Round-trip time, percentile by percentile, {units.message_size(size)} messages",
                subtitle=", ".join(filter(None, (placement_text(placement), special))),
                caption=f"A flat line is a mechanism that keeps its time. {HOW_TO_READ_SPECTRUM}",
                alt=describe(panels),
                notes=notes_of(invalid),
                panels=panels,
            )
        )
    return figures


def load_spectra(entries: list[Entry]) -> list[Figure]:
    """Response and service side by side, at the highest rate that every line bore. Cases that differ in the bound
    alone measured the same, and are pooled."""
    figures = []
    chosen = [entry for entry in entries if entry.case.workload == "paced"]

    def key(case):
        return (case.placement, case.message_bytes, *conditions(case, but=("rate", "p99_bound")))

    for (placement, size, *rest), group in groups_by(chosen, key):
        names = {line_key(entry) for entry in group if entry.grade != "invalid"}
        by_rate: dict[str, dict[tuple, list[Entry]]] = {}
        for entry in group:
            if entry.grade != "invalid":
                by_rate.setdefault(entry.case.rate, {}).setdefault(line_key(entry), []).append(entry)
        borne = [rate for rate, lines in by_rate.items() if lines.keys() == names]
        if not borne:
            continue
        rate = max(borne, key=rate_order)
        panels = []
        for column, metric in enumerate(LOAD_SPECTRA):
            drawn = tuple(
                Line(same[0].case.transport, line_label(same[0].case, same[0].source, None), tuple(points))
                for _, same in sorted(by_rate[rate].items())
                if (points := spectrum_points(same, metric))
            )
            if drawn:
                panels.append(Panel(metric.title, 0, column, "nines", metric.y, drawn))
        if not panels:
            continue
        special = conditions_text(tuple(rest))
        offered = rate_text(rate)
        figures.append(
            Figure(
                name="-".join(filter(None, ("load-spectrum", f"{size}B", slug(placement), slug(special)))),
                title=f"Response and service time at {offered}, percentile by percentile, {units.message_size(size)} messages",
                subtitle=", ".join(filter(None, (placement_text(placement), special))),
                caption=f"{offered[0].upper()}{offered[1:]} is the highest rate measured that all lines bore. What the service "
                "time leaves out, because its clock starts only when the sender gets to sending, is the distance between "
                f"the panels. {HOW_TO_READ_SPECTRUM}",
                alt=describe(tuple(panels)),
                notes=(),
                panels=tuple(panels),
            )
        )
    return figures


def rate_text(rate: str) -> str:
    rate = rate or USUAL_RATE
    return f"{rate[:-1]} % of saturation" if rate.endswith("%") else f"{units.significant(float(rate))} messages a second"


def nines_text(x: float) -> str:
    """'99.9 %' for 1000."""
    return f"{round(100 * (1 - 1 / x), 6):g} %"


# --- gaps -----------------------------------------------------------------------------------------------------------

ONE_WAY = (
    samples_metric("One-way time p50", "idle_gap", "one_way_ns", "p50_ns"),
    samples_metric("One-way time p90", "idle_gap", "one_way_ns", "p90_ns"),
)
WAIT_COLOURS = {  # as those of transports, of which a figure of waits has but one
    "block": "tcp",
    "poll": "fifo",
    "epoll": "unix_stream",
    "futex": "pipe",
    "semaphore": "posix_mq",
    "sysv_semaphore": "sysv_mq",
    "condvar": "sysv_shm",
    "eventfd": "unix_seqpacket",
    "adaptive": "posix_shm",
    "yield": "unix_dgram",
    "spin": "udp",
}


def gap_points(group: list[Entry], metric: Metric) -> list[Point]:
    points = []
    for entry in sorted(group, key=lambda entry: duration_ns(entry.case.gap)):
        estimate = metric.of([entry.series])
        if estimate:
            points.append(Point(duration_ns(entry.case.gap), estimate, entry.grade == "noisy"))
    return points


def by_gap(entries: list[Entry]) -> list[Figure]:
    """One transport, a line for each way of waiting that was measured after more than one gap."""
    figures = []
    chosen = [entry for entry in entries if entry.case.workload == "idle_gap" and entry.case.gap]

    def key(case):
        return (case.placement, transport_order(case.transport), case.message_bytes, *conditions(case, but=("gap", "caches")))

    for (placement, (_, transport), size, *rest), group in groups_by(chosen, key):
        lines: dict[tuple, list[Entry]] = {}
        for entry in group:
            lines.setdefault((*wait_row(entry), entry.case.caches), []).append(entry)
        lines = {name: line for name, line in lines.items() if len(line) > 1}
        _, invalid = split_invalid([entry for line in lines.values() for entry in line])
        panels = []
        for column, metric in enumerate(ONE_WAY):
            drawn = []
            for name in sorted(lines):
                line, _ = split_invalid(lines[name])
                points = gap_points(line, metric)
                if points:
                    drawn.append(Line(WAIT_COLOURS.get(line[0].case.receive_wait, ""), gap_label(line[0]), tuple(points)))
            if drawn:
                panels.append(Panel(metric.title, 0, column, "gap", metric.y, tuple(drawn)))
        if not panels:
            continue
        special = conditions_text(tuple(rest))
        figures.append(
            Figure(
                name="-".join(filter(None, ("idle-gap", slug(transport), f"{size}B", slug(placement), slug(special)))),
                title=f"Time to a receiver that has been idle, {transport}, {units.message_size(size)} messages",
                subtitle=", ".join(filter(None, (placement_text(placement), special))),
                caption="From the begin of sending to the end of receiving, by the clock of both processes, against how long "
                "the receiver had been waiting. A processor that has slept long wakes slowly, and other work may have had "
                "its caches; cold: between any two messages both sides filled the first two levels with something else. "
                f"A percentile with fewer than 100 messages beyond it is pooled over the launches, or left out. {HOW_TO_READ_SPREAD}",
                alt=describe(tuple(panels)),
                notes=notes_of(invalid),
                panels=tuple(panels),
            )
        )
    return figures


def gap_label(entry: Entry) -> str:
    return variant_text(entry.case, entry.source) + (", cold caches" if entry.case.caches == "cold" else "")


# --- dots -----------------------------------------------------------------------------------------------------------


def overview(entries: list[Entry], name: str, title: str, metric: Metric, tail: Metric | None, how: str) -> list[Figure]:
    """Every transport and way of waiting at the small size, best first; a column for each placement."""
    chosen = [entry for entry in entries if entry.case.workload == metric.workload]
    rest = usual_conditions(chosen)
    chosen = [entry for entry in chosen if conditions(entry.case) == rest]
    size = small_size(chosen)
    drawn, invalid = split_invalid([entry for entry in chosen if entry.case.message_bytes == size])
    placements = sorted({entry.case.placement for entry in drawn}, key=placement_order)
    rows: dict[tuple, dict[str, Dot]] = {}
    firsts: dict[tuple, Entry] = {}
    for entry in drawn:
        value = metric.of([entry.series])
        if value:
            beyond = tail.of([entry.series]) if tail else None
            rows.setdefault(line_key(entry), {})[entry.case.placement] = Dot(value, beyond, entry.grade == "noisy")
            firsts[line_key(entry)] = entry
    if not rows:
        return []
    # The placement with the most rows leads, so that the order it gives is read down a full column.
    placements.sort(key=lambda name: -sum(name in dots for dots in rows.values()))

    def order(key):
        column = next(i for i, placement in enumerate(placements) if placement in rows[key])
        value = rows[key][placements[column]].value.value
        return (firsts[key].case.transport == "null", column, value if metric.y == "time" else -value)

    dot_rows = tuple(
        DotRow(
            firsts[key].case.transport,
            line_label(firsts[key].case, firsts[key].source, "block"),
            tuple(rows[key].get(placement) for placement in placements),
        )
        for key in sorted(rows, key=order)
    )
    special = conditions_text(rest)
    return [
        Figure(
            name=name,
            title=f"{title}, {units.message_size(size)} messages",
            subtitle=", ".join(filter(None, ("both sides wait by block where a row does not say otherwise", special))),
            caption=f"{how} {HOW_TO_READ_SPREAD}",
            alt=describe_dots(dot_rows, [metric] * len(placements), placements),
            notes=notes_of(invalid),
            y=metric.y,
            value_title="p50" if tail else "median",
            columns=tuple(placement_text(placement) for placement in placements),
            rows=dot_rows,
        )
    ]


# --- waits ----------------------------------------------------------------------------------------------------------


WAITS = (
    "block",
    "poll",
    "epoll",
    "futex",
    "semaphore",
    "sysv_semaphore",
    "condvar",
    "eventfd",
    "adaptive",
    "yield",
    "spin",
)
WAIT_GROUPS = {"asleep": "both asleep", "spinning": "both spinning", "mixed": "one of each"}
FEWEST_WAITS = 3  # that are worth a figure


def wait_row(entry: Entry) -> tuple:
    case = entry.case
    sides = (case.send_wait, case.receive_wait)
    order = [WAITS.index(wait) if wait in WAITS else len(WAITS) for wait in sides]
    return (list(FAMILY_TITLES).index(family(case)), *order, *sides, case.access, case.limits, entry.source)


def wait_strategies(entries: list[Entry]) -> list[Figure]:
    """One transport at one size and placement, a row for each way of waiting, a panel for each metric."""
    figures = []
    chosen = [entry for entry in entries if entry.case.workload in ("ping_pong", "stream")]

    def key(case):
        return (case.placement, transport_order(case.transport), *conditions(case))

    for (placement, (_, transport), *rest), group in groups_by(chosen, key):
        waits: dict[int, set[str]] = {}
        for entry in group:
            if entry.grade != "invalid":
                waits.setdefault(entry.case.message_bytes, set()).add(entry.case.wait)
        sizes = [size for size, words in waits.items() if len(words) >= FEWEST_WAITS]
        if not sizes:
            continue
        size = 64 if 64 in sizes else min(sizes)
        drawn, invalid = split_invalid([entry for entry in group if entry.case.message_bytes == size])
        streamed = any(entry.case.workload == "stream" for entry in drawn)
        metrics = [
            metric
            for metric in (RTT_P50, MESSAGE_RATE, CPU if streamed else CPU_OF_ROUND_TRIP)
            if any(entry.case.workload == metric.workload and metric.of([entry.series]) for entry in drawn)
        ]
        rows: dict[tuple, list[Entry]] = {}
        for entry in drawn:
            rows.setdefault(wait_row(entry), []).append(entry)
        dot_rows = tuple(wait_dots(rows[name], metrics) for name in sorted(rows))
        withheld = [row.label for row, name in zip(dot_rows, sorted(rows)) if lacks_round_trip(rows[name])]
        extra = (f"RTT p50 withheld, for want of round trips: {', '.join(withheld)}.",) if withheld else ()
        special = conditions_text(tuple(rest))
        figures.append(
            Figure(
                name="-".join(filter(None, ("waits", slug(transport), f"{size}B", slug(placement), slug(special)))),
                title=f"Wait strategies of {transport}, {units.message_size(size)} messages",
                subtitle=", ".join(filter(None, (placement_text(placement), special))),
                caption=f"{wait_sources(metrics)} Further left is better for times, further right for rates; each panel "
                f"has an axis of its own, of which one step is a factor. {HOW_TO_READ_SPREAD}",
                alt=describe_dots(dot_rows, metrics),
                notes=notes_of(invalid, extra),
                value_title="median",
                columns=tuple(metric.title for metric in metrics),
                ys=tuple(metric.y for metric in metrics),
                rows=dot_rows,
            )
        )
    return figures


def wait_sources(metrics: list[Metric]) -> str:
    """Which workload each panel is from."""
    parts = []
    for workload, words in (("ping_pong", "a ping-pong"), ("stream", "a stream")):
        titles = [metric.title for metric in metrics if metric.workload == workload]
        if titles:
            parts.append(f"{' and '.join(titles)} from {words}")
    return f"Only the way of waiting differs. {'; '.join(parts)}; CPU is of both sides together."


def wait_dots(group: list[Entry], metrics: list[Metric]) -> DotRow:
    """group: the cases of one way of waiting, one of each workload."""
    dots = []
    for metric in metrics:
        entry = next((entry for entry in group if entry.case.workload == metric.workload), None)
        value = metric.of([entry.series]) if entry else None
        dots.append(Dot(value, None, entry.grade == "noisy") if value else None)
    case = group[0].case
    words = [case.wait]
    if case.access != "copy":
        words.append(case.access)
    if case.limits != "host":
        words.append(case.limits)
    if group[0].source:
        words.append(f"({group[0].source})")
    return DotRow(case.transport, " ".join(words), tuple(dots), WAIT_GROUPS[family(case)])


def lacks_round_trip(group: list[Entry]) -> bool:
    return any(entry.case.workload == "ping_pong" and RTT_P50.of([entry.series]) is None for entry in group)


# --- maps of the machine --------------------------------------------------------------------------------------------

FEWEST_PAIRS = 3  # of processors that are worth a map
LEVELS = ("package", "numa_node", "l3", "l2", "core")  # from the widest


def pair_of(case: Case) -> tuple[int, int] | None:
    """The two processors it was pinned to, if they were named."""
    words = case.placement.split("+")
    return (int(words[0]), int(words[1])) if len(words) == 2 and all(map(str.isdecimal, words)) else None


def map_key(entry: Entry) -> tuple:
    case = entry.case
    return (*line_key(entry), case.workload, case.message_bytes, conditions(case))


def mapped(entries: list[Entry]) -> list[Entry]:
    """Of lines that were measured between so many pairs of processors that a map shows them and no other figure can."""
    pairs: dict[tuple, set] = {}
    for entry in entries:
        pair = pair_of(entry.case)
        if entry.case.workload == "ping_pong" and not entry.case.mix and pair:
            pairs.setdefault(map_key(entry), set()).add(pair)
    wide = {key for key, found in pairs.items() if len(found) >= FEWEST_PAIRS}
    return [entry for entry in entries if pair_of(entry.case) and map_key(entry) in wide]


def unmapped(entries: list[Entry]) -> list[Entry]:
    """All the others."""
    shown = set(map(id, mapped(entries)))
    return [entry for entry in entries if id(entry) not in shown]


def borders_of(pus: tuple[int, ...], machine: dict) -> tuple[tuple[int, str], ...]:
    known = {pu.get("logical_index"): pu for pu in machine.get("pus") or []}
    borders = []
    for place in range(1, len(pus)):
        before, after = known.get(pus[place - 1], {}), known.get(pus[place], {})
        level = next((level for level in LEVELS if before.get(level) != after.get(level)), None)
        if level:
            borders.append((place, level))
    return tuple(borders)


def heat_map(group: list[Entry], machine: dict) -> HeatMap | None:
    """A round trip is the same from either end, so a pair that was measured one way stands for both."""
    drawn = [entry for entry in group if entry.grade != "invalid" and RTT_P50.of([entry.series])]
    if not drawn:
        return None
    pus = tuple(sorted({pu for entry in group for pu in pair_of(entry.case)}))
    cells: dict[tuple[int, int], Cell] = {}
    for mirrored in (True, False):
        for entry in drawn:
            row, column = (pus.index(pu) for pu in pair_of(entry.case))
            if mirrored:
                row, column = column, row
            cells[row, column] = Cell(row, column, RTT_P50.of([entry.series]), entry.grade == "noisy")
    case = group[0].case
    title = f"{RTT_P50.title} · {variant_text(case)}"
    return HeatMap(title, pus, borders_of(pus, machine), tuple(cells[place] for place in sorted(cells)))


def maps_of_processors(files: list[ResultFile], entries: list[Entry]) -> list[Figure]:
    """A figure for each transport of each file, a map for each way of waiting."""
    figures = []
    for letter, file in zip(source_letters(files), files):
        groups: dict[tuple, list[Entry]] = {}
        for entry in mapped([entry for entry in entries if entry.source == letter]):
            case = entry.case
            key = (transport_order(case.transport), case.message_bytes, conditions(case))
            groups.setdefault(key, []).append(entry)
        for ((_, transport), size, rest), group in sorted(groups.items()):
            variants: dict[tuple, list[Entry]] = {}
            for entry in group:
                variants.setdefault(wait_row(entry), []).append(entry)
            maps = [heat_map(variants[name], file.machine) for name in sorted(variants)]
            maps = tuple(one for one in maps if one)
            if not maps:
                continue
            _, invalid = split_invalid(group)
            special = conditions_text(rest)
            figures.append(
                Figure(
                    name="-".join(filter(None, ("map", slug(transport), f"{size}B", slug(special), slug(letter)))),
                    title=f"Round-trip time of {transport} between any two processors, {units.message_size(size)} messages",
                    subtitle=", ".join(filter(None, (file.host if letter else "", special, borders_text(maps)))),
                    caption="Rows and columns are processing units by hwloc's logical index: the two processes were pinned to "
                    "these. On the diagonal both take turns on one. The more a cell stands out from the page, the longer the "
                    "median round trip (p50, the median over launches); each map has a scale of its own, of which one step is a factor. A pair "
                    "that was measured one way round stands for both. A cut corner: noisy; an empty cell: not "
                    "measured, or invalid.",
                    alt=describe_maps(maps),
                    notes=(f"Not drawn, because invalid: {len(invalid)} of {len(group)} cases.",) if invalid else (),
                    maps=maps,
                )
            )
    return figures


LEVEL_NAMES = {"package": "packages", "numa_node": "NUMA nodes", "l3": "L3 caches", "l2": "L2 caches", "core": "cores"}


def borders_text(maps: tuple[HeatMap, ...]) -> str:
    """'lines between packages, L3 caches, cores': from the thickest."""
    there = {level for one in maps for _, level in one.borders}
    names = [LEVEL_NAMES[level] for level in LEVELS if level in there]
    return f"lines between {', '.join(names)}" if names else ""


# --- descriptions for those who cannot see the figure ---------------------------------------------------------------

FORMATS = {"time": units.time, "rate": units.rate, "bandwidth": units.bandwidth}


def describe(panels: tuple[Panel, ...]) -> str:
    parts = []
    for panel in panels:
        values = [(point.y.value, line.label, point.x) for line in panel.lines for point in line.points]
        low, high = min(values), max(values)
        show = FORMATS[panel.y]

        def at(x):
            if panel.x == "messages" and x in (RENDEZVOUS, UNBOUNDED):
                return "no bound" if x else "a rendezvous"
            if panel.x == "load":
                return f"{x:.0f} % load"
            if panel.x == "gap":
                return f"a gap of {units.time(x)}"
            if panel.x == "nines":
                return nines_text(x)
            return units.message_size(int(x)) if panel.x == "bytes" else units.plural(round(x), "message")

        parts.append(
            f"{panel.title}: {units.plural(len(panel.lines), 'line')}, from {show(low[0])} "
            f"({low[1]} at {at(low[2])}) to {show(high[0])} ({high[1]} at {at(high[2])})."
        )
    axes = "on a logarithmic axis of time" if panels[0].x == "load" else "on logarithmic axes"
    return f"Line chart {axes}. " + " ".join(parts)


def describe_dots(rows: tuple[DotRow, ...], metrics: list[Metric], placements: list[str] | None = None) -> str:
    """A metric for each column; placements: what tells the columns apart, where it is not the metric."""
    parts = []
    for column, metric in enumerate(metrics):
        show = FORMATS[metric.y]
        here = [(row.dots[column].value.value, row.label) for row in rows if row.dots[column]]
        name = placements[column] if placements else metric.title
        if here:
            low, high = min(here), max(here)
            parts.append(f"{name}: from {show(low[0])} ({low[1]}) to {show(high[0])} ({high[1]}).")
    of = f"{metrics[0].title} on a logarithmic axis" if placements else "ways of waiting on logarithmic axes"
    return f"Dot chart of {of}, {units.plural(len(rows), 'row')}. " + " ".join(parts)


def describe_maps(maps: tuple[HeatMap, ...]) -> str:
    parts = []
    for one in maps:
        values = [(cell.value.value, one.pus[cell.row], one.pus[cell.column]) for cell in one.cells]
        (low, *fast), (high, *slow) = min(values), max(values)
        parts.append(
            f"{one.title}: from {units.time(low)} (processors {fast[0]} and {fast[1]}) to {units.time(high)} "
            f"({slow[0]} and {slow[1]})."
        )
    return f"Heat map of {units.plural(len(maps[0].pus), 'processor')} by themselves. " + " ".join(parts)


# --- all of them ----------------------------------------------------------------------------------------------------


def named_apart(figures: list[Figure]) -> list[Figure]:
    """Names of files, each once, also where two sets of conditions look alike once they are letters and digits."""
    seen: Counter = Counter()
    result = []
    for figure in figures:
        seen[figure.name] += 1
        number = seen[figure.name]
        result.append(figure if number == 1 else replace(figure, name=f"{figure.name}-{number}"))
    return result


def figures_of(files: list[ResultFile]) -> list[Figure]:
    """Of messages of one size: a mix has no place on an axis of sizes, nor beside what has."""
    entries = [entry for entry in entries_of(files) if not entry.case.mix]
    maps = maps_of_processors(files, entries)
    entries = unmapped(entries)
    figures = [
        *overview(
            entries,
            "rtt-overview",
            "Round-trip time, p50 to p99",
            RTT_P50,
            RTT_P99,
            "Each row is one transport and way of waiting. The mark is the median round trip (p50), the tick at the end "
            "of the thin line the 99th percentile: a short line is a steady transport. Further left is faster; one step "
            "of the axis is a factor.",
        ),
        *overview(
            entries,
            "throughput-overview",
            "Throughput, messages per second",
            MESSAGE_RATE,
            None,
            "Each row is one transport and way of waiting, timed from the first send to the last message received. "
            "Further right is faster; one step of the axis is a factor.",
        ),
        *round_trip_spectra(entries),
        *by_size(
            entries,
            "rtt-by-size",
            "Round-trip time, p50 and p99,",
            [RTT_P50, RTT_P99],
            "A message goes there and one of the same size comes back; the whole round trip is shown, never half of it. "
            "A side that waits asleep gives up its processor, one that spins keeps it busy. A percentile with fewer than "
            "100 round trips beyond it is pooled over the launches, or left out.",
        ),
        *by_size(
            entries,
            "throughput-by-size",
            "Throughput",
            [MESSAGE_RATE, BANDWIDTH],
            "Messages in one direction, timed from the first send to the last message received, every byte written "
            "and read. Messages and payload bytes are two views of the same launches.",
        ),
        *by_capacity(entries),
        *wait_strategies(entries),
        *by_load(entries),
        *load_spectra(entries),
        *by_gap(entries),
        *maps,
    ]
    return named_apart(figures)


