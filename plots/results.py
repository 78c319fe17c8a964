"""Reads result files and journals of ipcmark into plain objects; everything plotted or reported comes from here.

A result file is one JSON document, a journal (FILE.journal) JSON Lines; results/schema.json is the contract of both.
Whatever cannot be read raises BadResult with one line that names the file and what is wrong with it.
"""

import json
import math
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from statistics import median

SCHEMA_VERSION = 1
SAMPLES_BEYOND = 100  # a percentile with fewer samples beyond it is withheld
LEVEL = 0.95
GRADES = ("ok", "noisy", "invalid")


class BadResult(Exception):
    """The text is one line for a person: the file, the place in it, and what was expected."""


# --- histogram ------------------------------------------------------------------------------------------------------


def bucket_index(value: int) -> int:
    """Log-linear: exact below 256, then 128 buckets for each power of two."""
    if value < 256:
        return value
    shift = value.bit_length() - 8
    return (shift << 7) + (value >> shift)


def bucket_bounds(index: int) -> tuple[int, int]:
    """The smallest and the largest value of a bucket."""
    if index < 256:
        return index, index
    shift = (index >> 7) - 1
    low = (index - (shift << 7)) << shift
    return low, low + (1 << shift) - 1


@dataclass
class Histogram:
    """Counts of nanoseconds by bucket; minimum, maximum and sum are exact. The same as harness/histogram.h."""

    counts: Counter = field(default_factory=Counter)
    minimum: int = 0
    maximum: int = 0
    total: int = 0

    @property
    def count(self) -> int:
        return self.counts.total()

    @staticmethod
    def of(values) -> "Histogram":
        values = [int(value) for value in values]
        if not values:
            return Histogram()
        return Histogram(Counter(map(bucket_index, values)), min(values), max(values), sum(values))

    @staticmethod
    def decode(text: str) -> "Histogram":
        """'h1;<count>;<min>;<max>;<sum>;<body>', body: 'd' or 'dxC' words, d the distance from the bucket before."""
        try:
            version, count, minimum, maximum, total, body = text.split(";")
            if version != "h1":
                raise ValueError(f"version {version!r} is not h1")
            counts: Counter = Counter()
            index = 0
            for word in body.split():
                distance, repeated, times = word.partition("x")
                index += int(distance)
                counts[index] += int(times) if repeated else 1
            result = Histogram(counts, int(minimum), int(maximum), int(total))
            if result.count != int(count):
                raise ValueError(f"the buckets hold {result.count} samples, the head says {count}")
            return result
        except ValueError as error:
            raise BadResult(f"histogram: {error}") from None

    def encode(self) -> str:
        words, previous = [], 0
        for index in sorted(self.counts):
            times = self.counts[index]
            words.append(f"{index - previous}" + (f"x{times}" if times > 1 else ""))
            previous = index
        return f"h1;{self.count};{self.minimum};{self.maximum};{self.total};{' '.join(words)}"

    def merged(self, other: "Histogram") -> "Histogram":
        if not self.count or not other.count:
            return self if self.count else other
        return Histogram(
            self.counts + other.counts,
            min(self.minimum, other.minimum),
            max(self.maximum, other.maximum),
            self.total + other.total,
        )

    def percentile(self, fraction: float) -> float | None:
        """The midpoint of the bucket in which the nearest rank lies; None with too few samples beyond it."""
        rank = max(1, math.ceil(fraction * self.count - 1e-6))  # 0.999 * 1000 must not become rank 1000
        if self.count - rank < SAMPLES_BEYOND:
            return None
        seen = 0
        for index in sorted(self.counts):
            seen += self.counts[index]
            if seen >= rank:
                low, high = bucket_bounds(index)
                return min(max((low + high) / 2, self.minimum), self.maximum)
        return None


# --- statistics -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Estimate:
    """A median over launches. low and high: its exact 95 % interval, None where there are too few launches.

    A pooled estimate is one percentile of all launches' samples together; it has no interval.
    """

    value: float
    low: float | None
    high: float | None
    minimum: float
    maximum: float
    launches: int
    pooled: bool = False

    @staticmethod
    def of(values) -> "Estimate | None":
        ordered = sorted(values)
        if not ordered:
            return None
        rank = interval_rank(len(ordered))
        low, high = (ordered[rank - 1], ordered[-rank]) if rank else (None, None)
        return Estimate(median(ordered), low, high, ordered[0], ordered[-1], len(ordered))

    @property
    def has_interval(self) -> bool:
        return self.low is not None

    def below(self, other: "Estimate") -> bool:
        """Whether both intervals exist and this one ends before the other begins."""
        return self.has_interval and other.has_interval and self.high < other.low


def interval_rank(count: int, level: float = LEVEL) -> int:
    """The largest k for which the k-th smallest and the k-th largest of `count` launches enclose the median with at
    least this probability: 1 - 2 P(Binomial(count, 1/2) < k). 0 when no pair does (under 6 launches at 95 %)."""
    rank, tail = 0, 0.0
    while rank < count:
        tail += math.comb(count, rank) / 2**count
        if 1 - 2 * tail < level:
            break
        rank += 1
    return rank


# --- what a file holds ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    workload: str
    transport: str
    message_bytes: int
    capacity: str
    send_wait: str
    receive_wait: str
    send_access: str
    receive_access: str
    placement: str
    senders: int
    receivers: int
    touch: str
    limits: str
    sched: str
    # What only some cases have; absent where it says nothing.
    rendezvous: str = ""
    overflow: str = ""
    delivery: str = ""
    burst: int = 0
    reply_bytes: int = 0
    work: int = 0
    stages: int = 0
    pairs: int = 0
    hops: str = ""
    filter: str = ""
    mix: str = ""  # sizes and weights; then message_bytes is the largest
    rate: str = ""  # messages a second, or with % of what the launch could move
    arrivals: str = ""
    p99_bound: str = ""  # durations, in words
    gap: str = ""
    caches: str = ""

    @property
    def further(self) -> str:
        """What sets it apart beyond the parameters every case has: 'overflow drop_new, work 100'."""
        return self.further_but()

    def further_but(self, *left_out: str) -> str:
        return ", ".join(
            f"{name.replace('_', ' ')} {getattr(self, name)}"
            for name in _FURTHER
            if getattr(self, name) and name not in left_out
        )

    @property
    def wait(self) -> str:
        return _both(self.send_wait, self.receive_wait)

    @property
    def access(self) -> str:
        return _both(self.send_access, self.receive_access)


_FURTHER = (
    *("rendezvous", "overflow", "delivery", "burst", "reply_bytes", "work", "stages", "pairs", "hops", "filter"),
    *("mix", "rate", "arrivals", "p99_bound", "gap", "caches"),
)


DURATIONS = {"s": 1e9, "ms": 1e6, "us": 1e3, "ns": 1.0}


def duration_ns(text: str) -> float:
    """'100us', as a case has it."""
    number = text.rstrip("mnsu")
    return float(number) * DURATIONS[text[len(number) :]]


def _both(send: str, receive: str) -> str:
    return send if send == receive else f"{send}+{receive}"


@dataclass(frozen=True)
class Limit:
    value: int
    unit: str
    source: str


@dataclass(frozen=True)
class Fits:
    """Messages that went in without a receiver, over the probes made."""

    minimum: int
    maximum: int
    lower_bound: bool


@dataclass(frozen=True)
class Capacity:
    asked: str
    limit: Limit | None
    fits: Fits | None
    resume_after: int | None
    note: str


def merge_capacities(capacities: list[Capacity]) -> Capacity:
    probes = [capacity.fits for capacity in capacities if capacity.fits]
    if not probes:
        return capacities[0]
    fits = Fits(
        min(probe.minimum for probe in probes),
        max(probe.maximum for probe in probes),
        any(probe.lower_bound for probe in probes),
    )
    return replace(capacities[0], fits=fits)


@dataclass(frozen=True)
class Verdict:
    grade: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Observation:
    """What only some workloads observe."""

    name: str
    unit: str
    value: float


@dataclass(frozen=True)
class Samples:
    """What a launch timed, as one distribution."""

    percentiles: dict[str, float | None]
    histogram_text: str | None

    @cached_property
    def histogram(self) -> Histogram:
        return Histogram.decode(self.histogram_text) if self.histogram_text else Histogram()


@dataclass(frozen=True)
class Launch:
    """One forked group of processes that measured one case once: the independent unit of all statistics."""

    case_id: str
    case: Case
    round: int
    ns_per_message: float
    cpu_ns_per_message: float
    messages_per_second: float
    bytes_per_second: float
    capacity: Capacity
    verdict: Verdict
    samples: dict[str, Samples]  # by what they are of
    observations: tuple[Observation, ...] = ()
    damage: int | None = None  # messages lost, doubled, reordered or corrupted
    system_calls: float | None = None  # of all roles for each message, where the case was traced: its first launch


PERCENTILES = {"p50_ns": 0.5, "p90_ns": 0.9, "p99_ns": 0.99, "p999_ns": 0.999}


@dataclass(frozen=True)
class Floor:
    """What the case's figure cannot go below on its own processors."""

    under: str  # p50_ns or ns_per_message
    what: str
    ns: float
    multiple: float


@dataclass(frozen=True)
class CaseSeries:
    """All launches of one case in one file."""

    case_id: str
    case: Case
    launches: tuple[Launch, ...]
    verdict: Verdict
    floor: "Floor | None" = None

    @property
    def capacity(self) -> Capacity:
        """Over all launches: the least and the most that fitted."""
        return merge_capacities([launch.capacity for launch in self.launches])

    def estimate(self, statistic: str) -> Estimate | None:
        """statistic: ns_per_message, cpu_ns_per_message, messages_per_second, bytes_per_second."""
        return estimate_over([self], statistic)

    def round_trip(self, percentile: str) -> Estimate | None:
        return round_trip_over([self], percentile)

    @property
    def observations(self) -> dict[tuple[str, str], Estimate]:
        """(name, unit) -> over the launches that observed it, in the order of the first one's."""
        found: dict[tuple[str, str], list[float]] = {}
        for launch in self.launches:
            for seen in launch.observations:
                found.setdefault((seen.name, seen.unit), []).append(seen.value)
        return {key: Estimate.of(values) for key, values in found.items()}


def estimate_over(series: list[CaseSeries], statistic: str) -> Estimate | None:
    return Estimate.of([getattr(launch, statistic) for one in series for launch in one.launches])


def round_trip_over(series: list[CaseSeries], percentile: str) -> Estimate | None:
    """Of the RTT."""
    return percentile_over(series, "round_trip_ns", percentile)


def percentile_over(series: list[CaseSeries], samples: str, percentile: str) -> Estimate | None:
    """The median over launches of one percentile of their samples. Where a launch has too few samples beyond it, the
    percentile of all launches pooled; None where even those are too few, or where a launch withholds what its samples
    reach: that is below the step of its clock."""
    taken = [launch.samples[samples] for one in series for launch in one.launches if samples in launch.samples]
    if not taken:
        return None
    values = [one.percentiles.get(percentile) for one in taken]
    if None not in values:
        return Estimate.of(values)
    share = PERCENTILES[percentile]
    if any(value is None and one.histogram.percentile(share) is not None for one, value in zip(taken, values)):
        return None
    merged = Histogram()
    for one in taken:
        merged = merged.merged(one.histogram)
    pooled = merged.percentile(share)
    if pooled is None:
        return None
    return Estimate(pooled, None, None, pooled, pooled, len(taken), pooled=True)


def spectrum_over(series: list[CaseSeries], samples: str, fractions: tuple[float, ...]) -> list[Estimate]:
    """A percentile for each fraction, as far as 100 samples lie beyond, of all launches pooled; minimum and maximum are
    the range over the launches, if all reach as far by themselves."""
    taken = [launch.samples[samples].histogram for one in series for launch in one.launches if samples in launch.samples]
    pooled = Histogram()
    for one in taken:
        pooled = pooled.merged(one)
    spectrum = []
    for fraction in fractions:
        value = pooled.percentile(fraction)
        if value is None:
            break
        alone = [one.percentile(fraction) for one in taken]
        low, high = (value, value) if None in alone else (min(alone), max(alone))
        spectrum.append(Estimate(value, None, None, low, high, len(taken), pooled=True))
    return spectrum


@dataclass(frozen=True)
class Failure:
    case_id: str
    case: Case
    round: int | None
    reason: str


@dataclass(frozen=True)
class Skip:
    case_id: str
    case: Case
    reason: str


@dataclass(frozen=True)
class ResultFile:
    """One run on one machine. context, run and machine are the file's own objects; see results/schema.json."""

    path: str
    is_journal: bool
    dropped_torn_line: bool
    context: dict
    run: dict
    machine: dict
    version: str
    series: tuple[CaseSeries, ...]
    failures: tuple[Failure, ...]
    skipped: tuple[Skip, ...]
    facts: dict[str, dict[str, str]] = field(default_factory=dict)  # by transport, as `ipcmark list transports` has them

    @property
    def host(self) -> str:
        return self.machine.get("host_name") or self.context.get("host_name") or "unnamed host"

    @property
    def date(self) -> str:
        """The day and minute the run began, as the file says it."""
        return str(self.run.get("started") or self.context.get("date") or "")[:16].replace("T", " ")

    @property
    def launches(self) -> int:
        return sum(len(one.launches) for one in self.series)


# --- reading --------------------------------------------------------------------------------------------------------


class _Reader:
    """Takes values out of parsed JSON by type; what is missing or of the wrong type is named by its path."""

    def __init__(self, path: str):
        self.path = path

    def fail(self, message: str):
        raise BadResult(f"{self.path}: {message}")

    def get(self, record, where: str, key: str, kind, optional: bool = False):
        if not isinstance(record, dict):
            self.fail(f"{where} is not an object")
        value = record.get(key)
        if value is None:
            if optional:
                return None
            self.fail(f"{where}.{key} is missing")
        kinds = (int, float) if kind is float else (kind,)
        if not isinstance(value, kinds) or (isinstance(value, bool) and kind is not bool):
            self.fail(f"{where}.{key} is not {_KIND_NAMES[kind]}")
        return float(value) if kind is float else value

    def case(self, record, where: str) -> Case:
        fields = {}
        for name, field in Case.__dataclass_fields__.items():
            if name in _FURTHER and not (isinstance(record, dict) and name in record):
                continue
            fields[name] = self.get(record, where, name, int if field.type in (int, "int") else str)
        if fields["message_bytes"] < 1:
            self.fail(f"{where}.message_bytes is {fields['message_bytes']}, not positive")
        return Case(**fields)

    def verdict(self, record, where: str) -> Verdict:
        grade = self.get(record, where, "grade", str)
        if grade not in GRADES:
            self.fail(f"{where}.grade is {grade!r}, not one of {', '.join(GRADES)}")
        return Verdict(grade, tuple(map(str, self.get(record, where, "reasons", list))))

    def capacity(self, record, where: str) -> Capacity:
        limit = self.get(record, where, "limit", dict, optional=True)
        fits = self.get(record, where, "fits", dict, optional=True)
        return Capacity(
            self.get(record, where, "asked", str),
            limit
            and Limit(
                self.get(limit, f"{where}.limit", "value", int),
                self.get(limit, f"{where}.limit", "unit", str),
                self.get(limit, f"{where}.limit", "source", str),
            ),
            fits
            and Fits(
                self.get(fits, f"{where}.fits", "min", int),
                self.get(fits, f"{where}.fits", "max", int),
                self.get(fits, f"{where}.fits", "lower_bound", bool),
            ),
            self.get(record, where, "resume_after", int, optional=True),
            self.get(record, where, "note", str, optional=True) or "",
        )

    def launch(self, record, where: str) -> Launch:
        own = self.get(record, where, "ipcmark", dict)
        inner = f"{where}.ipcmark"
        samples = {}
        distribution = self.get(own, inner, "distribution", dict, optional=True)
        further = self.get(own, inner, "distributions", list, optional=True) or []
        for i, each in enumerate([distribution, *further]):
            if each is not None:
                at = f"{inner}.distributions[{i - 1}]" if i else f"{inner}.distribution"
                samples[self.get(each, at, "of", str)] = self.samples(each, at)
        observations = [
            self.observation(seen, f"{inner}.observations[{i}]")
            for i, seen in enumerate(self.get(own, inner, "observations", list, optional=True) or [])
        ]
        if not any("empty_tries" in seen.name for seen in observations):
            observations += self.tries(own, inner)
        return Launch(
            case_id=self.get(record, where, "name", str),
            case=self.case(self.get(own, inner, "case", dict), f"{inner}.case"),
            round=self.get(own, inner, "round", int),
            ns_per_message=self.positive(record, where, "real_time"),
            cpu_ns_per_message=self.get(record, where, "cpu_time", float),
            messages_per_second=self.positive(record, where, "items_per_second"),
            bytes_per_second=self.positive(record, where, "bytes_per_second"),
            capacity=self.capacity(self.get(own, inner, "capacity", dict), f"{inner}.capacity"),
            verdict=self.verdict(self.get(own, inner, "verdict", dict), f"{inner}.verdict"),
            samples=samples,
            observations=tuple(observations),
            damage=self.damage(own, inner),
            system_calls=self.system_calls(own, inner),
        )

    def damage(self, own, where: str) -> int | None:
        found = self.get(own, where, "integrity", dict, optional=True)
        kinds = ("lost", "duplicated", "reordered", "corrupted")
        return found and sum(self.get(found, f"{where}.integrity", kind, int) for kind in kinds)

    def system_calls(self, own, where: str) -> float | None:
        examination = self.get(own, where, "examination", dict, optional=True)
        where += ".examination"
        messages = examination and self.get(examination, where, "traced_messages", int)
        if not messages:
            return None
        calls = 0
        for i, role in enumerate(self.get(examination, where, "traced", list)):
            for j, call in enumerate(self.get(role, f"{where}.traced[{i}]", "calls", list)):
                calls += self.get(call, f"{where}.traced[{i}].calls[{j}]", "count", int)
        return calls / messages

    def facts(self, owner, where: str) -> dict[str, dict[str, str]]:
        found = {}
        for i, record in enumerate(self.get(owner, where, "transports", list, optional=True) or []):
            at = f"{where}.transports[{i}]"
            found[self.get(record, at, "transport", str)] = {
                self.get(fact, f"{at}.facts[{j}]", "name", str): self.get(fact, f"{at}.facts[{j}]", "value", str)
                for j, fact in enumerate(self.get(record, at, "facts", list))
            }
        return found

    def samples(self, record, where: str) -> Samples:
        percentiles = {name: self.get(record, where, name, float, optional=True) for name in PERCENTILES}
        return Samples(percentiles, self.get(record, where, "histogram", str, optional=True))

    def observation(self, record, where: str) -> Observation:
        return Observation(
            self.get(record, where, "name", str),
            self.get(record, where, "unit", str),
            self.get(record, where, "value", float),
        )

    def tries(self, own, where: str) -> list[Observation]:
        """Of the roles that counted them, by kind of role: tries in vain for each message, work done meanwhile."""
        messages = self.get(own, where, "messages", int, optional=True)
        totals: dict[str, int] = {}
        for i, role in enumerate(self.get(own, where, "roles", list, optional=True) or []):
            at = f"{where}.roles[{i}]"
            kind = self.get(role, at, "role", str).split(" ")[0]
            for key, words in (("empty_tries", "empty tries"), ("work_done", "units of work")):
                count = self.get(role, at, key, int, optional=True)
                if count is not None and (count or key == "empty_tries"):
                    name = f"{kind}: {words} per message"
                    totals[name] = totals.get(name, 0) + count
        return [Observation(name, "count", total / messages) for name, total in totals.items() if messages]

    def positive(self, record, where: str, key: str) -> float:
        value = self.get(record, where, key, float)
        if value <= 0:
            self.fail(f"{where}.{key} is {value:g}, not positive")
        return value

    def floor(self, record, where: str) -> Floor | None:
        floor = self.get(record, where, "floor", dict, optional=True)
        where += ".floor"
        return floor and Floor(
            self.get(floor, where, "under", str),
            self.get(floor, where, "what", str),
            self.positive(floor, where, "ns"),
            self.positive(floor, where, "multiple"),
        )

    def failure(self, record, where: str) -> Failure:
        return Failure(
            self.get(record, where, "id", str),
            self.case(self.get(record, where, "case", dict), f"{where}.case"),
            self.get(record, where, "round", int, optional=True),
            self.get(record, where, "reason", str),
        )

    def skip(self, record, where: str) -> Skip:
        return Skip(
            self.get(record, where, "id", str),
            self.case(self.get(record, where, "case", dict), f"{where}.case"),
            self.get(record, where, "reason", str),
        )

    def check_version(self, record, where: str):
        version = self.get(record, where, "schema_version", int)
        if version != SCHEMA_VERSION:
            self.fail(f"{where}.schema_version is {version}; this reader knows {SCHEMA_VERSION}")


_KIND_NAMES = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}


def _refuse_constant(name: str):
    raise ValueError(f"{name} is not valid JSON")


def _parse(text: str):
    return json.loads(text, parse_constant=_refuse_constant)


def read(path) -> ResultFile:
    """A result file or a journal, told apart by content. Raises BadResult."""
    path = Path(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BadResult(f"{path}: {error.strerror}") from None
    if not raw.strip():
        raise BadResult(f"{path}: empty file")
    reader = _Reader(str(path))
    try:
        head = _parse(raw.split(b"\n", 1)[0].decode())
    except ValueError:
        head = None
    if isinstance(head, dict) and head.get("type") == "header":
        return _read_journal(reader, raw)
    try:
        document = _parse(raw.decode())
    except ValueError as error:
        raise BadResult(f"{path}: neither a result file nor a journal: {error}") from None
    if not isinstance(document, dict) or "ipcmark" not in document:
        raise BadResult(f"{path}: JSON, but no result of ipcmark (no key \"ipcmark\")")
    return _read_document(reader, document)


def _read_document(reader: _Reader, document: dict) -> ResultFile:
    own = reader.get(document, "file", "ipcmark", dict)
    reader.check_version(own, "ipcmark")
    launches = [
        reader.launch(record, f"benchmarks[{i}]")
        for i, record in enumerate(reader.get(document, "file", "benchmarks", list))
    ]
    verdicts, floors = {}, {}
    for i, record in enumerate(reader.get(own, "ipcmark", "cases", list)):
        where = f"ipcmark.cases[{i}]"
        case_id = reader.get(record, where, "id", str)
        verdicts[case_id] = reader.verdict(reader.get(record, where, "verdict", dict), f"{where}.verdict")
        summary = reader.get(record, where, "summary", dict, optional=True)
        floors[case_id] = summary and reader.floor(summary, f"{where}.summary")
    return ResultFile(
        path=reader.path,
        is_journal=False,
        dropped_torn_line=False,
        context=reader.get(document, "file", "context", dict),
        run=reader.get(own, "ipcmark", "run", dict),
        machine=reader.get(own, "ipcmark", "machine", dict),
        version=reader.get(own, "ipcmark", "version", str),
        series=_group(launches, verdicts, floors),
        failures=tuple(
            reader.failure(record, f"ipcmark.failures[{i}]")
            for i, record in enumerate(reader.get(own, "ipcmark", "failures", list))
        ),
        skipped=tuple(
            reader.skip(record, f"ipcmark.skipped[{i}]")
            for i, record in enumerate(reader.get(own, "ipcmark", "skipped", list))
        ),
        facts=reader.facts(own, "ipcmark"),
    )


def _read_journal(reader: _Reader, raw: bytes) -> ResultFile:
    *lines, torn = raw.split(b"\n")  # what follows the last newline was torn by a crash
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            records.append((number, _parse(line.decode())))
        except ValueError as error:
            reader.fail(f"line {number}: {error}")
    if not records:
        reader.fail("a journal without a whole first line")
    header = records[0][1]
    reader.check_version(header, "line 1")
    launches, failures, skipped = [], [], []
    for number, record in records[1:]:
        where = f"line {number}"
        match reader.get(record, where, "type", str):
            case "launch":
                launches.append(reader.launch(record, where))
            case "failure":
                failures.append(reader.failure(record, where))
            case "skip":
                skipped.append(reader.skip(record, where))
            case other:
                reader.fail(f"{where}.type is {other!r}, not one of launch, failure, skip")
    return ResultFile(
        path=reader.path,
        is_journal=True,
        dropped_torn_line=bool(torn),
        context=reader.get(header, "line 1", "context", dict),
        run=reader.get(header, "line 1", "run", dict),
        machine=reader.get(header, "line 1", "machine", dict),
        version=reader.get(header, "line 1", "version", str, optional=True) or "",
        series=_group(launches, _worst_of_each(launches, failures), {}),
        failures=tuple(failures),
        skipped=tuple(skipped),
        facts=reader.facts(header, "line 1"),
    )


def _group(
    launches: list[Launch], verdicts: dict[str, Verdict], floors: dict[str, Floor | None]
) -> tuple[CaseSeries, ...]:
    by_id: dict[str, list[Launch]] = {}
    for launch in launches:
        by_id.setdefault(launch.case_id, []).append(launch)
    unjudged = Verdict("noisy", ("the file gives no verdict for this case",))
    return tuple(
        CaseSeries(case_id, group[0].case, tuple(group), verdicts.get(case_id, unjudged), floors.get(case_id))
        for case_id, group in by_id.items()
    )


def _worst_of_each(launches: list[Launch], failures: list[Failure]) -> dict[str, Verdict]:
    """A journal judges launches, not cases: the worst launch of a case stands for it, a failed one is invalid."""
    found: dict[str, list[Verdict]] = {}
    for launch in launches:
        found.setdefault(launch.case_id, []).append(launch.verdict)
    for failure in failures:
        reason = "a launch failed" if failure.round is None else f"the launch of round {failure.round} failed"
        found.setdefault(failure.case_id, []).append(Verdict("invalid", (f"{reason}: {failure.reason}",)))
    worst = {}
    for case_id, verdicts in found.items():
        grade = max((verdict.grade for verdict in verdicts), key=GRADES.index)
        reasons = dict.fromkeys(reason for verdict in verdicts if verdict.grade == grade for reason in verdict.reasons)
        worst[case_id] = Verdict(grade, tuple(reasons))
    return worst
