#!/usr/bin/python3
"""Writes a report from result files or journals: DIR/index.html, one page that needs nothing else, and DIR/figures/.

report.py FILES... -o DIR

Exit status: 0 written; 2 a file could not be read or the directory not written, with one line on standard error.
"""

import argparse
import math
import os
import re
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import jinja2
from markupsafe import Markup

import drawing
import figures
import lectures
import units
from figures import Entry
from results import GRADES, BadResult, Capacity, Case, Estimate, ResultFile, duration_ns, percentile_over, read

HERE = Path(__file__).resolve().parent

KERNEL_TRANSPORTS = (
    "pipe",
    "fifo",
    "posix_mq",
    "sysv_mq",
    "unix_stream",
    "unix_dgram",
    "unix_seqpacket",
    "tcp",
    "tcp_nagle",
    "udp",
)


# --- words for cases ------------------------------------------------------------------------------------------------


def case_text(case: Case) -> str:
    """A case in one line, without what is as usual."""
    words = [case.workload, case.transport, figures.size_text(case), case.wait, case.placement]
    if case.access != "copy":
        words.insert(4, case.access)
    words += filter(None, (figures.conditions_text(figures.conditions(case)),))
    if case.limits != "host":
        words.append(f"{case.limits} limits")
    return " · ".join(words)


def who(entry: Entry) -> str:
    return f"{entry.case.transport} ({figures.variant_text(entry.case)}, {entry.case.placement})"


def who_and_size(entry: Entry) -> str:
    return f"{who(entry)} at {units.message_size(entry.case.message_bytes)}"


# --- numbers --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Number:
    """A figure in a table: its text, and that of its spread or of why it has none."""

    text: str
    spread: str = ""


NOTHING = Number(units.MISSING)


def number(estimate: Estimate | None, show, show_range) -> Number:
    if estimate is None:
        return NOTHING
    if estimate.pooled:
        return Number(show(estimate.value), "pooled")
    if not estimate.has_interval:
        return Number(show(estimate.value))
    return Number(show(estimate.value), show_range(estimate.low, estimate.high))


def time_number(estimate) -> Number:
    return number(estimate, units.time, units.time_range)


def rate_number(estimate) -> Number:
    return number(estimate, units.rate, units.rate_range)


def bandwidth_number(estimate) -> Number:
    return number(estimate, units.bandwidth, units.bandwidth_range)


def floor_number(entry: Entry) -> Number:
    """How many times its floor the case's own figure is."""
    floor = entry.series.floor
    if floor is None:
        return NOTHING
    return Number(f"× {units.significant(floor.multiple)}", f"{units.time(floor.ns)}: {floor.what}")


# --- the ten-second summary -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tile:
    label: str
    what: str
    value: str
    spread: str
    who: str
    remarks: list[str]


def best_of(entries: list[Entry], metric: figures.Metric) -> list[tuple[Estimate, Entry]]:
    """Best first, invalid results and the null transport left out."""
    found = []
    for entry in entries:
        if entry.case.workload == metric.workload and entry.grade != "invalid" and entry.case.transport != "null":
            estimate = metric.of([entry.series])
            if estimate:
                found.append((estimate, entry))
    return sorted(found, key=lambda item: item[0].value if metric.y == "time" else -item[0].value)


def tile(label: str, what: str, ranked: list[tuple[Estimate, Entry]], metric: figures.Metric, name) -> Tile:
    estimate, entry = ranked[0]
    show, show_range = {
        "time": (units.time, units.time_range),
        "rate": (units.rate, units.rate_range),
        "bandwidth": (units.bandwidth, units.bandwidth_range),
    }[metric.y]
    if estimate.pooled:
        spread = f"pooled over {units.plural(estimate.launches, 'launch', 'launches')}, no interval"
    elif estimate.has_interval:
        spread = f"95 % interval {show_range(estimate.low, estimate.high)}"
    else:
        spread = f"{units.plural(estimate.launches, 'launch', 'launches')}, too few for an interval"
    remarks = ["Judged noisy."] if entry.grade == "noisy" else []
    near = [
        name(other)
        for value, other in ranked[1:]
        if estimate.has_interval and value.has_interval and not (estimate.below(value) or value.below(estimate))
    ]
    if near:
        more = f" and {len(near) - 2} more" if len(near) > 2 else ""
        remarks.append(f"Not told apart from {', '.join(near[:2])}{more}.")
    return Tile(label, what, show(estimate.value), spread, name(entry), remarks)


def plain(entries: list[Entry]) -> list[Entry]:
    """Of the two workloads that the summary, the table and the figures are about, with messages of one size."""
    return [entry for entry in entries if entry.case.workload in ("ping_pong", "stream") and not entry.case.mix]


def tiles_of(entries: list[Entry]) -> list[Tile]:
    entries = plain(entries)
    rest = figures.usual_conditions(entries)
    usual = [entry for entry in entries if figures.conditions(entry.case) == rest]
    size = figures.small_size(usual)
    small = [entry for entry in usual if entry.case.message_bytes == size]
    kernel = [entry for entry in small if entry.case.transport in KERNEL_TRANSPORTS]
    sizes = len({entry.case.message_bytes for entry in usual if entry.case.workload == "stream"})
    at = f"{units.message_size(size)} messages" if small else ""
    special = figures.conditions_text(rest) if rest else ""
    tiles = []
    for label, what, chosen, metric, name in (
        ("Fastest round trip", f"RTT p50, {at}", small, figures.RTT_P50, who),
        ("Fastest through the kernel", f"RTT p50, {at}", kernel, figures.RTT_P50, who),
        ("Most messages", at, small, figures.MESSAGE_RATE, who),
        ("Most bytes", "any size measured" if sizes > 1 else at, usual, figures.BANDWIDTH, who_and_size),
    ):
        ranked = best_of(chosen, metric)
        if ranked:
            tiles.append(tile(label, ", ".join(filter(None, (what, special))), ranked, metric, name))
    return tiles


def sentences_of(entries: list[Entry]) -> list[str]:
    """Contrasts between results whose 95 % intervals do not meet; none where the data supports none."""
    entries = plain(entries)
    rest = figures.usual_conditions(entries)
    usual = [entry for entry in entries if figures.conditions(entry.case) == rest]
    size = figures.small_size(usual)
    ranked = best_of([entry for entry in usual if entry.case.message_bytes == size], figures.RTT_P50)
    sentences = []

    def told(fast: tuple[Estimate, Entry], slow: tuple[Estimate, Entry]) -> bool:
        return fast[0].below(slow[0])

    def value(item) -> str:
        return f"{units.time(item[0].value)} [{units.time_range(item[0].low, item[0].high)}]"

    kernel = [item for item in ranked if item[1].case.transport in KERNEL_TRANSPORTS]
    for item in kernel:
        first = item[1].case
        elsewhere = [
            other
            for other in ranked
            if figures.line_key(other[1]) == figures.line_key(item[1]) and other[1].case.placement != first.placement
        ]
        apart = [other for other in elsewhere if told(item, other)]
        if apart:
            slow = apart[-1]
            sentences.append(
                f"Placement: a round trip over {first.transport} ({first.wait}) takes {value(item)} on {first.placement} "
                f"and {value(slow)} on {slow[1].case.placement}, {units.significant(slow[0].value / item[0].value, 2)} "
                "times as long."
            )
            break
    for spin in ranked:
        fast = spin[1].case
        asleep = [
            item
            for item in ranked
            if figures.family(item[1].case) == "asleep"
            and (item[1].case.transport, item[1].case.placement, item[1].case.access, item[1].source)
            == (fast.transport, fast.placement, fast.access, spin[1].source)
        ]
        if fast.wait == "spin" and asleep and told(spin, asleep[0]):
            slow = asleep[0]
            sentences.append(
                f"Waiting: a round trip over {fast.transport} on {fast.placement} takes {value(spin)} when both sides "
                f"spin and {value(slow)} when they sleep ({slow[1].case.wait}), "
                f"{units.significant(slow[0].value / spin[0].value, 2)} times as long."
            )
            break
    return sentences


# --- tables ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class HeadlineRow:
    transport: str
    variant: str
    p50: Number
    p99: Number
    messages: Number
    bandwidth: Number
    best_size: str
    cpu: Number
    grade: str
    grade_of: str


def headline_tables(entries: list[Entry]) -> tuple[list[tuple[str, list[HeadlineRow]]], int | None, str]:
    """(placement, rows), the small size, and the conditions if they are not the usual ones. Without what a map shows."""
    entries = figures.unmapped(plain(entries))
    rest = figures.usual_conditions(entries)
    usual = [entry for entry in entries if figures.conditions(entry.case) == rest]
    size = figures.small_size(usual)
    tables: dict[str, dict[tuple, list[Entry]]] = {}
    for entry in usual:
        tables.setdefault(entry.case.placement, {}).setdefault(figures.line_key(entry), []).append(entry)
    result = []
    for placement in sorted(tables, key=lambda name: (-len(tables[name]), figures.placement_order(name))):
        rows = [headline_row(group, size) for group in tables[placement].values()]
        rows.sort(key=lambda row: row[0])
        result.append((figures.placement_text(placement), [row for _, row in rows]))
    return result, size, figures.conditions_text(rest) if rest else ""


def headline_row(group: list[Entry], size: int) -> tuple[tuple, HeadlineRow]:
    def at_small(workload):
        return next((e for e in group if e.case.workload == workload and e.case.message_bytes == size), None)

    ping, stream = at_small("ping_pong"), at_small("stream")
    streams = [e for e in group if e.case.workload == "stream" and e.grade != "invalid"]
    fullest = max(streams, key=lambda e: e.series.estimate("bytes_per_second").value, default=None)
    best_size = units.MISSING
    if fullest:
        only = " only" if len({entry.case.message_bytes for entry in streams}) == 1 else ""
        best_size = f"{units.message_size(fullest.case.message_bytes)}{only}"
    used = {"RTT": ping, "messages/s": stream, "GB/s": fullest}
    worst = max((e.grade for e in used.values() if e), key=GRADES.index, default="ok")
    blamed = [name for name, e in used.items() if e and e.grade == worst]

    def of(entry, make, estimate):
        if entry is None:
            return NOTHING
        return Number("invalid") if entry.grade == "invalid" else make(estimate(entry.series))

    p50 = ping.series.round_trip("p50_ns") if ping and ping.grade != "invalid" else None
    rate = stream.series.estimate("messages_per_second") if stream and stream.grade != "invalid" else None
    row = HeadlineRow(
        transport=group[0].case.transport,
        variant=figures.variant_text(group[0].case, group[0].source),
        p50=of(ping, time_number, lambda s: s.round_trip("p50_ns")),
        p99=of(ping, time_number, lambda s: s.round_trip("p99_ns")),
        messages=of(stream, rate_number, lambda s: s.estimate("messages_per_second")),
        bandwidth=of(fullest, bandwidth_number, lambda s: s.estimate("bytes_per_second")),
        best_size=best_size,
        cpu=of(stream, time_number, lambda s: s.estimate("cpu_ns_per_message")),
        grade=worst,
        grade_of="" if worst == "ok" else ", ".join(blamed),
    )
    floor = group[0].case.transport == "null"
    key = (floor, p50 is None, p50.value if p50 else 0, -(rate.value if rate else 0), figures.line_key(group[0]))
    return key, row


@dataclass(frozen=True)
class CaseRow:
    case: Case
    source: str
    conditions: str
    launches: int
    p50: Number
    p99: Number
    per_message: Number
    messages: Number
    bandwidth: Number
    cpu: Number
    floor: Number
    observed: str
    grade: str


def case_rows(entries: list[Entry]) -> list[CaseRow]:
    def order(entry):
        case = entry.case
        return (
            case.workload,
            figures.transport_order(case.transport),
            figures.placement_order(case.placement),
            case.wait,
            case.access,
            case.message_bytes,
            len(case.capacity),
            case.capacity,
        )

    return [
        CaseRow(
            case=entry.case,
            source=entry.source,
            conditions=", ".join(
                filter(
                    None,
                    (
                        figures.conditions_text(figures.conditions(entry.case)),
                        "" if entry.case.limits == "host" else f"{entry.case.limits} limits",
                    ),
                )
            ),
            launches=len(entry.series.launches),
            p50=time_number(entry.series.round_trip("p50_ns")),
            p99=time_number(entry.series.round_trip("p99_ns")),
            per_message=time_number(entry.series.estimate("ns_per_message")),
            messages=rate_number(entry.series.estimate("messages_per_second")),
            bandwidth=bandwidth_number(entry.series.estimate("bytes_per_second")),
            cpu=time_number(entry.series.estimate("cpu_ns_per_message")),
            floor=floor_number(entry),
            observed=observed_text(entry),
            grade=entry.grade,
        )
        for entry in sorted(entries, key=order)
    ]


# --- the further workloads ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Workload:
    """What its section says. rate: what a message is there; samples: the name of what its histogram holds, if that is
    worth a column."""

    title: str
    what: str
    rate: str = "messages"
    samples: str = ""
    samples_title: str = ""


MIXES = (
    "Messages of several sizes, as often as their weights say, in an order that is the same for every transport. A stream of "
    "bytes sends the size before each message, shared memory keeps it in the slot."
)
WORKLOADS = {
    "stream of a mix": Workload("Throughput of mixed sizes", MIXES),
    "ping_pong of a mix": Workload(
        "Round trips of mixed sizes",
        f"{MIXES} The answer is as large as the message.",
        "round trips",
        "round_trip_ns",
        "RTT p50",
    ),
    "duplex": Workload(
        "Both directions at once",
        "Each of two processes sends as fast as it can while it receives. A mechanism that goes one way only needs two "
        "links for it. Messages of both directions are counted.",
    ),
    "pairs": Workload(
        "Independent pairs at once",
        "Pairs of processes that have nothing to do with each other stream at the same time: what they share is the "
        "kernel and the machine. Messages of all pairs are counted; Jain's index is 1 when all pairs are equally fast.",
    ),
    "client_server": Workload(
        "Clients and one server",
        "Every client calls, one call at a time, and waits for the reply; one server answers all. A call is request and "
        "reply together.",
        "calls",
        "call_ns",
        "call p50",
    ),
    "burst": Workload(
        "Bursts",
        "The sender hands over a burst while nobody receives; only then is it received. As long as the link holds a whole "
        "burst the sender does not wait. At the end a sender hands over one more and exits before the receiver begins.",
        "messages",
        "sender_wait_ns",
        "sender waits, p50",
    ),
    "cross": Workload(
        "Both send first",
        "Both sides send a burst, then receive one. What fits goes through; beyond it each waits for the other: a deadlock "
        "where they sleep, a livelock where they spin. Either is recognised, counted and cut, and every message then "
        "delivered; such a case has no times to show.",
        "messages",
        "exchange_ns",
        "exchange p50",
    ),
    "paced": Workload(
        "Under load",
        "Messages are due at times that do not depend on the receiver. The response time runs from when a message was due, "
        "the service time from when the sender got to sending it, the send lag is between. A rate in % is of the saturation "
        "that each launch measures first. Where less than 98 % of the offered rate was achieved, the times say only how "
        "long the load lasted: invalid. The sender waits at its processor, so CPU is mostly its.",
        "messages",
        "response_ns",
        "response p50",
    ),
    "idle_gap": Workload(
        "After idle gaps",
        "The next message is sent when its receiver has been waiting for a while; its time is one-way, by the clock of both. "
        "The sender waits at its processor, so CPU is mostly its.",
        "messages",
        "one_way_ns",
        "one-way p50",
    ),
    "pipeline": Workload(
        "Pipelines",
        "Source, filters that each transform every message, and sink, over a link for each hop. Speedup compares with one "
        "process that does the same work over no link at all.",
    ),
    "setup": Workload(
        "Setting a link up",
        "A whole cycle creates a link, opens it from both sides, delivers a first message, closes and removes it; the phases "
        "are medians. Where nobody else can attach, opening includes the fork of the process that inherits the link.",
        "cycles",
        "cycle_ns",
        "cycle p50",
    ),
    "state": Workload(
        "A record, read for its latest value",
        "One writer updates a record, and readers want its latest value: in shared memory in place under a seqlock, "
        "elsewhere as whole records in messages. Staleness: how many updates a read was behind.",
        "update rate",
    ),
    "mailbox": Workload(
        "Mailboxes",
        "Several senders and several receivers on one link; every message goes to exactly one receiver. Jain's index is 1 "
        "when all receivers got as many.",
    ),
    "broadcast": Workload(
        "Broadcast",
        "One sender, and every receiver gets every message: written once where links lie in shared memory, elsewhere sent "
        "to each.",
    ),
}


@dataclass(frozen=True)
class WorkloadRow:
    transport: str
    variant: str
    size: str
    parameters: str
    samples: Number
    rate: Number
    cpu: Number
    observed: list[str]  # one for each of the section's columns
    grade: str


@dataclass(frozen=True)
class WorkloadSection:
    name: str
    about: Workload
    columns: list[tuple[str, str]]  # observations: name, unit
    placements: list[tuple[str, list[WorkloadRow]]]
    count: int
    size: str | None  # where all cases have the same, so that it needs no column
    parameters: bool  # whether any has some


def workload_sections(entries: list[Entry]) -> list[WorkloadSection]:
    by_name: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry not in plain([entry]):
            workload = entry.case.workload
            mixed = workload in ("ping_pong", "stream")
            by_name.setdefault(f"{workload} of a mix" if mixed else workload, []).append(entry)
    known = list(WORKLOADS)
    names = sorted(by_name, key=lambda name: (known.index(name) if name in known else len(known), name))
    return [workload_section(name, by_name[name]) for name in names]


def workload_section(name: str, entries: list[Entry]) -> WorkloadSection:
    about = WORKLOADS.get(name, Workload(name.replace("_", " "), ""))

    def order(entry):
        case = entry.case
        return (
            *(case.transport == "null", figures.transport_order(case.transport), case.message_bytes),
            *figures.wait_row(entry),
            *(len(case.capacity), case.capacity, case.senders, case.receivers, case.burst, case.reply_bytes),
            *(case.work, case.stages, case.pairs, figures.conditions(case, but=figures.SWEPT)),
            *(figures.rate_order(case.rate), duration_ns(case.gap or "0s"), figures.conditions(case)),
        )

    entries = sorted(entries, key=order)
    columns = list(dict.fromkeys(column for entry in entries for column in observed(entry)))
    by_placement: dict[str, list[WorkloadRow]] = {}
    for entry in entries:
        row = workload_row(entry, about, columns)
        by_placement.setdefault(entry.case.placement, []).append(row)
    placements = sorted(by_placement.items(), key=lambda item: figures.placement_order(item[0]))
    sizes = {figures.size_text(entry.case) for entry in entries}
    return WorkloadSection(
        name,
        about,
        [observation_title(*column) for column in columns],
        [(figures.placement_text(placement), rows) for placement, rows in placements],
        len(entries),
        sizes.pop() if len(sizes) == 1 else None,
        any(row.parameters for rows in by_placement.values() for row in rows),
    )


def workload_row(entry: Entry, about: Workload, columns: list[tuple[str, str]]) -> WorkloadRow:
    case, series = entry.case, entry.series
    valid = entry.grade != "invalid"
    stuck = any(name == "completed" and seen.value < 1 for (name, _), seen in series.observations.items())
    samples = percentile_over([series], about.samples, "p50_ns") if about.samples else None
    seen = observed(entry)
    return WorkloadRow(
        transport=case.transport,
        variant=figures.variant_text(case, entry.source),
        size=figures.size_text(case),
        parameters=figures.conditions_text(figures.conditions(case)),
        samples=Number("invalid") if not valid else time_number(None if stuck else samples),
        rate=Number("invalid") if not valid else rate_number(None if stuck else series.estimate("messages_per_second")),
        cpu=Number("invalid") if not valid else time_number(None if stuck else series.estimate("cpu_ns_per_message")),
        observed=[seen.get(column, units.MISSING) for column in columns],
        grade=entry.grade,
    )


NUMBERED = re.compile(r"([a-z_]+?)_\d+_([a-z_]+)")  # receiver_3_share


def observed(entry: Entry) -> dict[tuple[str, str], str]:
    """(name, unit) -> median over launches; what is numbered by role is one, from the least to the most of the roles."""
    values: dict[tuple[str, str], list[float]] = {}
    for (name, unit), estimate in entry.series.observations.items():
        of_each = NUMBERED.fullmatch(name)
        key = f"{of_each[1]}_{of_each[2]}" if of_each else name
        values.setdefault((key, unit), []).append(estimate.value)
    return {
        (name, unit): "–".join(dict.fromkeys(units.observed(value, unit) for value in (min(those), max(those))))
        for (name, unit), those in values.items()
    }


def observed_text(entry: Entry) -> str:
    """'dropped 19,500 messages, peak backlog memory 7.03 MiB'."""
    words = []
    for (name, unit), value in observed(entry).items():
        title, of = observation_title(name, unit)
        words.append(" ".join(filter(None, (title, value, of))))
    return ", ".join(words)


def observation_title(name: str, unit: str) -> tuple[str, str]:
    """Its name in words, and its unit where neither the name nor the figures say it."""
    words = name.replace("_", " ").replace("jain index", "Jain's index")
    if unit == "ns" or unit.startswith("ns,"):
        return words.removesuffix(" ns").replace(" ns ", " "), unit.removeprefix("ns").strip(", ")
    told = unit in ("messages_per_second", "bytes", "ratio", "count", "1: yes") or unit in words
    return words, "" if told else unit


# --- capacities, verdicts, failures ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class CapacityRow:
    transport: str
    variant: str
    size: int
    asked: str
    limit: str
    limit_source: str
    fits: str
    resume_after: str
    note: str


def capacity_rows(entries: list[Entry]) -> list[CapacityRow]:
    """What was asked and what it came to; cases that agree in both are one row. Where the same came to different
    things, the workloads tell the rows apart: a link for many is not built as one for two."""
    rows: dict[CapacityRow, tuple] = {}
    workloads: dict[CapacityRow, list[str]] = {}
    for entry in entries:
        case, capacity = entry.case, entry.series.capacity
        limits = "" if case.limits == "host" else f"{case.limits} limits"
        variant = ", ".join(filter(None, (case.mix and f"mix {case.mix}", limits, entry.source)))
        row = CapacityRow(
            transport=case.transport,
            variant=variant,
            size=case.message_bytes,
            asked=f"0 ({case.rendezvous or 'rendezvous'})" if capacity.asked == "0" else capacity.asked,
            limit=limit_text(capacity),
            limit_source=capacity.limit.source if capacity.limit else "",
            fits=fits_text(capacity),
            resume_after=units.count(capacity.resume_after),
            note=capacity.note,
        )
        asked = {"default": -1, "unbounded": math.inf}.get(capacity.asked) or int(capacity.asked)
        rows.setdefault(row, (figures.transport_order(case.transport), case.message_bytes, asked, variant))
        if case.workload not in workloads.setdefault(row, []):
            workloads[row].append(case.workload)
    ordered = sorted(rows, key=lambda row: (rows[row], sorted(workloads[row])))
    alike = Counter((row.transport, row.variant, row.size, row.asked) for row in rows)
    return [
        replace(row, variant=", ".join(filter(None, (row.variant, *sorted(workloads[row])))))
        if alike[row.transport, row.variant, row.size, row.asked] > 1
        else row
        for row in ordered
    ]


def limit_text(capacity: Capacity) -> str:
    if capacity.limit is None:
        return units.MISSING
    value, unit = capacity.limit.value, capacity.limit.unit
    return units.plural(value, unit[:-1]) if unit in ("messages", "bytes") else f"{value:,} {unit}"


def fits_text(capacity: Capacity) -> str:
    if capacity.fits is None:
        return units.MISSING
    low, high = capacity.fits.minimum, capacity.fits.maximum
    text = f"{low:,}" if low == high else f"{low:,}–{high:,}"
    return f"≥ {text}" if capacity.fits.lower_bound else text


def judged(entries: list[Entry]) -> list[tuple[str, str, tuple[str, ...]]]:
    """(grade, case, reasons) of all that are not ok, the invalid first."""
    doubtful = [entry for entry in entries if entry.grade != "ok"]
    doubtful.sort(key=lambda entry: (-GRADES.index(entry.grade), case_text(entry.case)))
    return [
        (entry.grade, " · ".join(filter(None, (case_text(entry.case), entry.source))), entry.series.verdict.reasons)
        for entry in doubtful
    ]


def failed(files: list[ResultFile]) -> list[tuple[str, str, str]]:
    """(case, rounds, reason)."""
    rows: dict[tuple[str, str], list[str]] = {}
    for letter, file in zip(figures.source_letters(files), files):
        for failure in file.failures:
            key = (" · ".join(filter(None, (case_text(failure.case), letter))), failure.reason)
            rows.setdefault(key, []).append(units.MISSING if failure.round is None else str(failure.round))
    return [(case, ", ".join(rounds), reason) for (case, reason), rounds in rows.items()]


@dataclass(frozen=True)
class SkipGroup:
    reason: str
    alike: int  # further reasons that differ in their numbers only
    cases: list[str]


def skip_groups(files: list[ResultFile]) -> list[SkipGroup]:
    """Skipped cases by reason, reasons that differ only in numbers together, the largest group first."""
    groups: dict[str, dict[str, list[str]]] = {}
    for letter, file in zip(figures.source_letters(files), files):
        for skip in file.skipped:
            pattern = re.sub(r"\d+", "#", skip.reason)
            text = " · ".join(filter(None, (case_text(skip.case), letter)))
            groups.setdefault(pattern, {}).setdefault(skip.reason, []).append(text)
    result = [
        SkipGroup(next(iter(reasons)), len(reasons) - 1, [case for cases in reasons.values() for case in cases])
        for reasons in groups.values()
    ]
    return sorted(result, key=lambda group: -len(group.cases))


# --- the run and the machine ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Source:
    """One file, in words."""

    letter: str
    file: ResultFile
    counts: str
    warnings: list[str]
    run: list[tuple[str, str]]
    machine: list[tuple[str, str]]
    floors: "Floors"


def source_of(letter: str, file: ResultFile) -> Source:
    return Source(letter, file, counts_text(file), warnings_of(file), run_facts(file), machine_facts(file), floors_of(file))


def launches_text(file: ResultFile) -> str:
    per_case = sorted({len(series.launches) for series in file.series})
    if not per_case:
        return "no launch"
    if len(per_case) == 1:
        return f"{units.plural(per_case[0], 'launch', 'launches')} of each"
    return f"{per_case[0]} to {per_case[-1]} launches of each"


def counts_text(file: ResultFile) -> str:
    grades = [series.verdict.grade for series in file.series]
    words = [units.plural(len(file.series), "case"), launches_text(file)]
    words += [f"{grades.count(grade)} {grade}" for grade in ("noisy", "invalid") if grade in grades]
    if file.failures:
        words.append(f"{units.plural(len({failure.case_id for failure in file.failures}), 'case')} failed")
    if file.skipped:
        words.append(f"{len(file.skipped):,} skipped")
    return ", ".join(words)


def warnings_of(file: ResultFile) -> list[str]:
    run, warnings = file.run, []
    if file.is_journal:
        text = "This is the journal of a run that has not finished; a case is judged by the worst of its launches."
        warnings.append(text + (" Its last line was torn and is left out." if file.dropped_torn_line else ""))
    elif run.get("interrupted"):
        warnings.append("The run was interrupted; what it had measured by then is shown.")
    elif run.get("complete") is False:
        warnings.append("The run is not complete: some launches are missing.")
    if file.context.get("library_build_type") == "debug":
        warnings.append("Measured with a debug build: these figures say nothing about the mechanisms.")
    noisy = sum(series.verdict.grade == "noisy" for series in file.series)
    if 2 * noisy > len(file.series) > 0:
        warnings.append(f"{noisy} of {len(file.series)} cases are noisy: most figures are rough. See the verdicts.")
    if not file.series:
        warnings.append("Nothing was measured: every case was skipped or failed.")
    elif all(len(series.launches) < 6 for series in file.series):
        warnings.append("Under six launches of each case: no 95 % interval can be given.")
    return warnings


def text_of(value) -> str:
    if value in (None, "", []):
        return "not in the file"
    return str(value)


def run_facts(file: ResultFile) -> list[tuple[str, str]]:
    run = file.run
    command_line = run.get("command_line")
    wall, timed = run.get("wall_s"), run.get("timed_s")
    minimum = run.get("min_time_ns")
    return [
        ("file", Path(file.path).name),
        ("suite", text_of(run.get("suite"))),
        ("command line", " ".join(map(str, command_line)) if command_line else text_of(None)),
        ("seed", text_of(run.get("seed"))),
        ("launches asked", text_of(run.get("launches"))),
        ("timed part asked", units.time(minimum) if minimum else text_of(None)),
        ("started", text_of(run.get("started"))),
        ("finished", text_of(run.get("finished"))),
        ("took", units.duration(wall) if wall else text_of(None)),
        ("of this timed", units.duration(timed) if timed else text_of(None)),
        ("ipcmark", " ".join(filter(None, (file.version, text_of(file.context.get("library_build_type")), "build")))),
        *(
            (key.removeprefix("ipcmark_"), str(value))
            for key, value in sorted(file.context.items())
            if key not in GOOGLE_BENCHMARK_KEYS and not isinstance(value, (dict, list))
        ),
    ]


GOOGLE_BENCHMARK_KEYS = (
    "date",
    "host_name",
    "executable",
    "num_cpus",
    "mhz_per_cpu",
    "cpu_scaling_enabled",
    "caches",
    "load_avg",
    "library_version",
    "library_build_type",
)


def machine_facts(file: ResultFile) -> list[tuple[str, str]]:
    machine = file.machine
    parts = [
        units.plural(machine[key], noun)
        for key, noun in (("packages", "package"), ("numa_nodes", "NUMA node"), ("cores", "core"))
        if machine.get(key)
    ]
    if machine.get("pus"):
        parts.append(units.plural(len(machine["pus"]), "processing unit"))
    clock = machine.get("clock") or {}
    order = "never behind between processors" if clock.get("ordered") else "seen to run backwards between processors"
    clock_words = [str(clock.get("source") or "")] if clock.get("source") else []
    if clock.get("step_ns"):
        clock_words.append(f"step {units.time(clock['step_ns'])}")
    if clock.get("read_ns"):
        clock_words.append(f"one reading {units.time(clock['read_ns'])}")
    if clock.get("order_checks"):
        clock_words.append(f"{order} ({clock['order_checks']:,} checks)")
    floors = machine.get("floors") or {}
    system_call = floors.get("system_call_ns")
    return [
        ("host", file.host),
        ("processor", text_of(machine.get("cpu_model"))),
        ("nominal clock", f"{machine['cpu_mhz']:,.0f} MHz" if machine.get("cpu_mhz") else text_of(None)),
        ("topology", ", ".join(parts) or text_of(None)),
        ("caches", caches_text(machine.get("caches") or [])),
        ("memory", units.memory(machine["memory_bytes"]) if machine.get("memory_bytes") else text_of(None)),
        ("virtual machine", machine.get("hypervisor") or "no hypervisor seen"),
        ("system", text_of(machine.get("operating_system"))),
        ("kernel", " ".join(filter(None, (text_of(machine.get("kernel")), machine.get("architecture"))))),
        ("clock", ", ".join(clock_words) or text_of(None)),
        *([("why this clock", str(clock["why"]))] if clock.get("why") else []),
        ("one system call", units.time(system_call) if system_call else text_of(None)),
        ("fingerprint", text_of(machine.get("fingerprint"))),
    ]


def caches_text(caches: list[dict]) -> str:
    words = []
    for cache in caches:
        letter = {"Data": "d", "Instruction": "i"}.get(cache.get("type"), "")
        sharing = cache.get("sharing_pus") or 0
        shared = f" shared by {sharing}" if sharing > 1 else ""
        words.append(f"L{cache.get('level')}{letter} {units.memory(cache.get('size_bytes') or 0)}{shared}")
    return ", ".join(words) or text_of(None)


@dataclass(frozen=True)
class Floors:
    """Rows of text, in the columns of report.html.j2."""

    payload: list[tuple[str, ...]]  # (PU, size, write, read, memcpy)
    pus: list[tuple[str, ...]]
    pairs: list[tuple[str, ...]]
    note: str


def floors_of(file: ResultFile) -> Floors:
    floors = file.machine.get("floors") or {}
    own = {"pu": "unpinned", **floors}
    pus = floors.get("pus") or []
    return Floors(
        payload=[
            (
                str(place["pu"]),
                units.message_size(touch["message_bytes"]),
                *(units.time(touch.get(key)) for key in ("write_ns", "read_ns", "memcpy_ns")),
            )
            for place in (pus or [own])
            for touch in place.get("touch") or []
        ],
        pus=[
            (
                str(place["pu"]),
                *(units.time(place.get(key)) for key in ("clock_read_ns", "system_call_ns", "context_switch_ns")),
            )
            for place in [own, *pus]
            if place.get("clock_read_ns")
        ],
        pairs=[
            (
                " and ".join(map(str, pair["pus"])),
                *(units.time(pair.get(key)) for key in ("cache_line_round_trip_ns", "futex_wake_ns")),
            )
            for pair in floors.get("pairs") or []
        ],
        note=floors.get("note") or "",
    )


def footer_of(files: list[ResultFile]) -> list[str]:
    """The line below every figure that is used on its own."""
    lines = []
    for letter, file in zip(figures.source_letters(files), files):
        words = [
            file.host,
            file.machine.get("cpu_model"),
            file.machine.get("kernel"),
            file.date,
            f"suite {file.run.get('suite')}" if file.run.get("suite") else None,
            launches_text(file),
        ]
        lines.append((f"{letter}: " if letter else "") + " · ".join(str(word) for word in words if word))
    return lines


# --- the page -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Drawn:
    figure: figures.Figure
    wide: Markup | None = None  # where there is nothing to draw
    narrow: Markup | None = None


def _draw(job) -> Drawn:
    number, figure, directory, footer = job
    if not (figure.panels or figure.rows or figure.maps):
        return Drawn(figure)
    drawing.save(figure, directory, footer)
    return Drawn(
        figure,
        Markup(drawing.inline_svg(figure, drawing.WIDE, f"f{number}w")),
        Markup(drawing.inline_svg(figure, drawing.NARROW, f"f{number}n")),
    )


def page(files: list[ResultFile], drawn: list[Drawn]) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["message_size"] = units.message_size
    environment.filters["case_size"] = figures.size_text
    entries = figures.entries_of(files)
    letters = figures.source_letters(files)
    headline, size, conditions = headline_tables(entries)
    capacities = capacity_rows(entries)
    per_file = [[entry for entry in entries if entry.source == letter] for letter in letters]
    fingerprints = {file.machine.get("fingerprint") for file in files}
    cases = case_rows(entries)
    return environment.get_template("report.html.j2").render(
        sources=[source_of(letter, file) for letter, file in zip(letters, files)],
        summaries=[
            (f"{letter} · {file.host} · {file.date}" if letter else "", tiles_of(mine), sentences_of(mine))
            for letter, file, mine in zip(letters, files, per_file)
        ],
        lectures=lectures.sections_of(files),
        one_machine=len(fingerprints) == 1,
        headline=headline,
        small_size=size,
        headline_conditions=conditions,
        drawn=drawn,
        workloads=workload_sections(entries),
        only_further=bool(entries) and not plain(entries),
        capacities_small=[row for row in capacities if row.size == size],
        capacities_other=[row for row in capacities if row.size != size],
        judged=judged(entries),
        measured=len(entries),
        failed=failed(files),
        skips=skip_groups(files),
        skipped=sum(len(file.skipped) for file in files),
        cases=cases,
        any_observed=any(row.observed for row in cases),
        themes=drawing.THEMES,
        missing=units.MISSING,
    )


def write(files: list[ResultFile], directory: Path) -> Path:
    """Draws every figure into directory/figures and writes directory/index.html, whose path it returns."""
    pictures = directory / "figures"
    pictures.mkdir(parents=True, exist_ok=True)
    jobs = [(i, figure, pictures, footer_of(files)) for i, figure in enumerate(figures.figures_of(files), start=1)]
    drawn = []
    if jobs:
        with ProcessPoolExecutor(min(len(jobs), os.cpu_count() or 1)) as pool:
            drawn = list(pool.map(_draw, jobs))
    index = directory / "index.html"
    index.write_text(page(files, drawn), encoding="utf-8")
    return index


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="FILE", help="result file or journal")
    parser.add_argument("-o", dest="directory", required=True, metavar="DIR", help="where the report goes")
    options = parser.parse_args()
    try:
        index = write([read(file) for file in options.files], Path(options.directory))
    except BadResult as error:
        print(f"report: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"report: -o {options.directory}: {error.strerror}: {error.filename}", file=sys.stderr)
        return 2
    print(index)
    return 0


if __name__ == "__main__":
    sys.exit(main())
