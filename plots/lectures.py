"""The lectures, measured: what courses claim of interprocess communication, decided by result files alone.

results/textbook.json lists the claims. Each has rules, and it holds if all of them do:

  ratio   `figure` of the cases `of` in multiples of that of the cases `against`, of all that agree in the keys `join`
          (message_bytes and placement when absent). Launches of one round are compared; the interval is that of the
          median over rounds
  figure  `figure` of the cases `of`
  slope   what each byte between the sizes `from` and `to` adds to `figure`, without writing and reading it, in multiples
          of copying it (the machine's floors)
  fact    of transports: `fact` as the result file has it

A selection names values, or lists of them, by the keys of a case; `wait` and `access` mean both sides, and `burst_fits`
whether a burst fits into the link. A capacity that is not named is the default one, and what only some cases have must
be named. A figure is one of FIGURES, a percentile, or an observation; a/b divides two.

`expect`: above, below, about a number - the 95 % interval wholly beyond (within) 5 % of it decides; least, most, equal -
every launch does; is - a fact is one of these; as - it is the same as another transport's.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import figures
import units
from results import CaseSeries, Estimate, Launch, PERCENTILES, ResultFile

TEXTBOOK = Path(__file__).resolve().parent.parent / "results" / "textbook.json"
SUITE = "textbook"

HOLDS, FAILS, DEPENDS, UNKNOWN = "holds", "does not hold", "depends", "not measured"
BOUND = 0.05

BASE_KEYS = ("workload", "transport", "message_bytes", "placement", "senders", "receivers", "touch", "limits", "sched")
BOTH_SIDES = ("wait", "access")
FURTHER_KEYS = (
    *("rendezvous", "overflow", "delivery", "burst", "reply_bytes", "work", "stages", "pairs", "hops", "filter"),
    *("mix", "rate", "arrivals", "p99_bound", "gap", "caches"),
)
SELECTION_KEYS = (*BASE_KEYS, *BOTH_SIDES, *FURTHER_KEYS, "capacity", "burst_fits")
RULE_KEYS = {
    "ratio": ({"figure", "of", "against", "expect"}, {"join"}),
    "figure": ({"figure", "of", "expect"}, set()),
    "slope": ({"figure", "of", "from", "to", "expect"}, set()),
    "fact": ({"fact", "transport", "expect"}, set()),
}
NUMERIC = ("above", "below", "about", "least", "most", "equal")
EXPECTS = {"ratio": NUMERIC, "figure": NUMERIC, "slope": NUMERIC, "fact": ("is", "as")}
WHOSE = {"courses": "the courses' words", "ours": "our own"}


class BadTextbook(Exception):
    """One line: which claim, and what is wrong with it."""


def load(path: Path = TEXTBOOK) -> dict:
    """claims, and missing: mechanisms that some of them are about and that are not built. Raises BadTextbook for unknown
    keys, kinds of rules or values, and for an id that stands twice."""
    book = json.loads(path.read_text(encoding="utf-8"))
    check(book)
    return book


def check(book: dict) -> None:
    _keys(book, "textbook", {"claims", "missing"}, set())
    seen = set()
    for claim in book["claims"]:
        where = claim.get("id", "a claim without an id")
        _keys(claim, where, {"id", "topic", "whose", "claim", "rules"}, {"note"})
        if where in seen:
            raise BadTextbook(f"{where}: stands twice")
        seen.add(where)
        if claim["whose"] not in WHOSE:
            raise BadTextbook(f"{where}: whose is {claim['whose']!r}, not one of {', '.join(WHOSE)}")
        if not claim["rules"]:
            raise BadTextbook(f"{where}: has no rule")
        for rule in claim["rules"]:
            _check_rule(rule, where)


def _check_rule(rule: dict, where: str) -> None:
    kind = rule.get("kind")
    if kind not in RULE_KEYS:
        raise BadTextbook(f"{where}: kind of rule {kind!r} is not one of {', '.join(RULE_KEYS)}")
    required, optional = RULE_KEYS[kind]
    _keys(rule, f"{where}: {kind}", required | {"kind"}, optional)
    for side in ("of", "against"):
        for key in rule.get(side, {}):
            if key not in SELECTION_KEYS:
                raise BadTextbook(f"{where}: {side}: unknown key {key!r}")
    for key in rule.get("join", ()):
        if key not in SELECTION_KEYS:
            raise BadTextbook(f"{where}: join: unknown key {key!r}")
    if len(rule["expect"]) != 1 or next(iter(rule["expect"])) not in EXPECTS[kind]:
        raise BadTextbook(f"{where}: {kind}: expect is {rule['expect']}, not one of {', '.join(EXPECTS[kind])}")


def _keys(record: dict, where: str, required: set, optional: set) -> None:
    for key in sorted(required - set(record)):
        raise BadTextbook(f"{where}: lacks {key!r}")
    for key in sorted(set(record) - required - optional):
        raise BadTextbook(f"{where}: unknown key {key!r}")


# --- selections -----------------------------------------------------------------------------------------------------


def values_of(selection: dict, key: str) -> list | None:
    """The values it allows; None: any."""
    if key not in selection:
        return None
    value = selection[key]
    return value if isinstance(value, list) else [value]


def selects(selection: dict, case) -> bool:
    """burst_fits is left out: a case alone does not tell it."""
    if case.capacity not in (values_of(selection, "capacity") or ["default"]):
        return False
    for key in (*BASE_KEYS, *BOTH_SIDES):
        wanted = values_of(selection, key)
        if wanted is not None and getattr(case, key) not in wanted:
            return False
    for key in FURTHER_KEYS:
        neutral = type(getattr(case, key))()
        if getattr(case, key) not in (values_of(selection, key) or [neutral]):
            return False
    return True


def burst_fits(series: CaseSeries) -> bool | None:
    fits = series.capacity.fits
    if fits is None:
        return None
    if series.case.burst <= fits.minimum or fits.lower_bound:
        return True
    return False if series.case.burst > fits.maximum else None


@dataclass(frozen=True)
class Chosen:
    usable: list[CaseSeries]
    reasons: list[tuple[object, str]]  # (case, why it has no figure)


def choose(file: ResultFile, selection: dict) -> Chosen:
    failed = {failure.case_id: failure.reason for failure in file.failures}
    usable, reasons = [], []
    for series in file.series:
        if not selects(selection, series.case):
            continue
        if "burst_fits" in selection and burst_fits(series) is not selection["burst_fits"]:
            continue
        if series.case_id in failed:
            reasons.append((series.case, f"failed: {failed[series.case_id]}"))
        elif series.verdict.grade == "invalid":
            reasons.append((series.case, f"invalid: {series.verdict.reasons[0]}"))
        else:
            usable.append(series)
    measured = {series.case_id for series in file.series}
    for failure in file.failures:
        if failure.case_id not in measured and selects(selection, failure.case):
            reasons.append((failure.case, f"failed: {failure.reason}"))
            measured.add(failure.case_id)
    return Chosen(usable, reasons)


def nothing_chosen(file: ResultFile, selection: dict) -> str:
    skipped = [skip.reason for skip in file.skipped if selects(selection, skip.case)]
    if skipped:
        return f"skipped: {skipped[0]}"
    transports = values_of(selection, "transport") or []
    known = {series.case.transport for series in file.series} | set(file.facts)
    if transports and not known & set(transports):
        return f"this run has no {' and no '.join(transports)}"
    return "this run has no such case"


# --- figures --------------------------------------------------------------------------------------------------------


FIGURES = {
    "ns_per_message": lambda launch: launch.ns_per_message,
    "cpu_ns_per_message": lambda launch: launch.cpu_ns_per_message,
    "messages_per_second": lambda launch: launch.messages_per_second,
    "bytes_per_second": lambda launch: launch.bytes_per_second,
    "damage": lambda launch: launch.damage,
    "limit": lambda launch: launch.capacity.limit and launch.capacity.limit.value,
    "system_calls": lambda launch: launch.system_calls,
}
TITLES = {
    "ns_per_message": "time per message",
    "cpu_ns_per_message": "processor time per message",
    "damage": "damaged messages",
    "limit": "limit in bytes",
    "system_calls": "system calls per message",
    "fits": "messages that fit",
    "cpu_ns_per_message/ns_per_message": "processors busy",
    "bursts_that_waited/bursts": "bursts that waited",
    "p90_ns/p50_ns": "p90 by p50",
    "create_ns": "time to make it",
    "completed": "exchanges completed",
}
TITLES |= {name: name.removesuffix("_ns").replace("p999", "p99.9") for name in PERCENTILES}


def figure_of(launch: Launch, figure: str) -> float | None:
    above, _, below = figure.partition("/")
    if below:
        numerator, denominator = figure_of(launch, above), figure_of(launch, below)
        return None if numerator is None or not denominator else numerator / denominator
    if figure in FIGURES:
        return FIGURES[figure](launch)
    if figure in PERCENTILES:
        main = next(iter(launch.samples.values()), None)
        return main and main.percentiles.get(figure)
    return next((seen.value for seen in launch.observations if seen.name == figure), None)


def figures_by_round(series: CaseSeries, figure: str) -> dict[int, float]:
    found = {launch.round: figure_of(launch, figure) for launch in series.launches}
    return {round_: value for round_, value in found.items() if value is not None}


# --- evidence and outcomes ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Evidence:
    """One row: a comparison, a figure or a fact, and what it says of the claim."""

    what: str
    value: str
    interval: str
    says: str
    of: dict = field(default_factory=dict)  # what sets it apart from the others of its rule
    number: float | None = None  # the value, where it is one


@dataclass(frozen=True)
class Outcome:
    word: str
    remark: str
    evidence: list[Evidence]


@dataclass(frozen=True)
class Lecture:
    id: str
    topic: str
    whose: str
    claim: str
    note: str
    outcome: Outcome


def judged(low: float, high: float, expect: dict) -> str:
    ((how, number),) = expect.items()
    match how:
        case "above":
            return HOLDS if low > number * (1 + BOUND) else FAILS if high < number * (1 - BOUND) else DEPENDS
        case "below":
            return HOLDS if high < number * (1 - BOUND) else FAILS if low > number * (1 + BOUND) else DEPENDS
        case "about":
            if number * (1 - BOUND) <= low and high <= number * (1 + BOUND):
                return HOLDS
            return FAILS if low > number * (1 + BOUND) or high < number * (1 - BOUND) else DEPENDS
        case "least":
            return HOLDS if low >= number else FAILS if high < number else DEPENDS
        case "most":
            return HOLDS if high <= number else FAILS if low > number else DEPENDS
        case "equal":
            return HOLDS if low == high == number else DEPENDS if low <= number <= high else FAILS
    raise BadTextbook(f"expect {how!r}")


def number_row(what: str, of: dict, values: list[float], expect: dict, show, single: bool = False) -> Evidence:
    """single: counted once for the case, and exact."""
    if not values:
        return Evidence(what, units.MISSING, "the launches do not have this figure", UNKNOWN, of)
    estimate = Estimate.of(values)
    if single or next(iter(expect)) in ("least", "most", "equal"):
        low, high = estimate.minimum, estimate.maximum
        spread = "" if low == high else f"{show(low)} to {show(high)}"
        return Evidence(what, show(estimate.value), spread, judged(low, high, expect), of, estimate.value)
    if not estimate.has_interval:
        launches = units.plural(estimate.launches, "launch", "launches")
        return Evidence(what, show(estimate.value), f"{launches}: too few for an interval", UNKNOWN, of)
    spread = f"{show(estimate.low)} to {show(estimate.high)}"
    return Evidence(what, show(estimate.value), spread, judged(estimate.low, estimate.high, expect), of, estimate.value)


def times(value: float) -> str:
    return f"× {units.significant(value)}"


def shown(figure: str):
    if "/" in figure or not figure.endswith("_ns") and figure not in ("ns_per_message", "cpu_ns_per_message"):
        return units.plain
    return units.time


APART = ("message_bytes", "transport", "wait", "workload", "capacity", "placement", "work", "burst", "access", "stages")
NAMED = {"work": "work", "burst": "burst", "capacity": "capacity", "stages": "stages"}


def word(key: str, value) -> str:
    if key == "message_bytes":
        return units.message_size(value)
    return f"{NAMED[key]} {value}" if key in NAMED else str(value)


def describe(case, but: tuple[str, ...] = ()) -> str:
    keys = ("transport", "wait", "message_bytes", "capacity", "work", "burst")
    left_out = {"capacity": "default", "work": 0, "burst": 0}
    return ", ".join(
        word(key, getattr(case, key)) for key in keys if key not in but and getattr(case, key) != left_out.get(key)
    )


def apart(case) -> dict:
    return {key: getattr(case, key) for key in APART}


def unmeasured(chosen: Chosen) -> list[Evidence]:
    return [Evidence(describe(case), units.MISSING, reason, UNKNOWN, apart(case)) for case, reason in chosen.reasons]


WORKLOADS = {"ping_pong": "round trip", "idle_gap": "after a gap", "state": "record"}


def title(figure: str, workload: str = "") -> str:
    return ", ".join(filter(None, (WORKLOADS.get(workload, workload), TITLES.get(figure, figure.replace("_", " ")))))


def title_of(rule: dict) -> str:
    if rule["kind"] == "fact":
        return rule["fact"]
    workloads = values_of(rule["of"], "workload")
    return title(rule["figure"], workloads[0] if workloads and len(workloads) == 1 else "")


def ratio_rows(file: ResultFile, rule: dict) -> list[Evidence]:
    of, against = choose(file, rule["of"]), choose(file, rule["against"])
    rows = unmeasured(of) + unmeasured(against)
    join = rule.get("join", ["message_bytes", "placement"])
    waits = {(series.case.transport, series.case.wait) for series in against.usable}
    one_wait = len(waits) == len({transport for transport, _ in waits})
    for one in of.usable:
        for other in against.usable:
            if any(getattr(one.case, key) != getattr(other.case, key) for key in join):
                continue
            above, below = figures_by_round(one, rule["figure"]), figures_by_round(other, rule["figure"])
            ratios = [above[round_] / below[round_] for round_ in above if below.get(round_)]
            alike = tuple(key for key in ("transport", "wait") if getattr(one.case, key) == getattr(other.case, key))
            if alike == ("transport", "wait"):
                alike = ("transport",)
            size = word("message_bytes", one.case.message_bytes)
            what = f"{title(rule['figure'], one.case.workload)}, {describe(one.case, ('message_bytes',))}"
            what += f" against {describe(other.case, (*alike, 'message_bytes'))}, {size}"
            partner = other.case.transport if one_wait else describe(other.case, ("message_bytes",))
            row = number_row(what, apart(one.case) | {"against": partner}, ratios, rule["expect"], times)
            rows.append(row)
    for side, chosen in (("of", of), ("against", against)):
        if not chosen.usable and not chosen.reasons:
            rows.append(Evidence(title_of(rule), units.MISSING, nothing_chosen(file, rule[side]), UNKNOWN))
    if not rows:
        rows.append(Evidence(title_of(rule), units.MISSING, "nothing to compare agrees in " + ", ".join(join), UNKNOWN))
    return rows


def figure_rows(file: ResultFile, rule: dict) -> list[Evidence]:
    chosen, figure = choose(file, rule["of"]), rule["figure"]
    rows = unmeasured(chosen)
    for series in chosen.usable:
        what = f"{title(figure, series.case.workload)}, {describe(series.case)}"
        if figure == "fits":
            fits = series.capacity.fits
            values = [fits.minimum, fits.maximum] if fits else []
        else:
            values = list(figures_by_round(series, figure).values())
        once = figure in ("fits", "system_calls")
        rows.append(number_row(what, apart(series.case), values, rule["expect"], shown(figure), once))
    if not rows:
        rows.append(Evidence(title_of(rule), units.MISSING, nothing_chosen(file, rule["of"]), UNKNOWN))
    return rows


def touch_floors(file: ResultFile, sizes: tuple[int, int]) -> list[dict] | None:
    floors = file.machine.get("floors") or {}
    for place in [*(floors.get("pus") or []), floors]:
        by_size = {touch["message_bytes"]: touch for touch in place.get("touch") or []}
        if all(size in by_size for size in sizes):
            return [by_size[size] for size in sizes]
    return None


def slope_rows(file: ResultFile, rule: dict) -> list[Evidence]:
    sizes = (rule["from"], rule["to"])
    chosen = choose(file, rule["of"] | {"message_bytes": list(sizes)})
    rows = unmeasured(chosen)
    lines: dict[tuple, dict[int, CaseSeries]] = {}
    for series in chosen.usable:
        key = (series.case.transport, series.case.wait, series.case.placement, series.case.access)
        lines.setdefault(key, {})[series.case.message_bytes] = series
    floors = touch_floors(file, sizes)
    for (transport, wait, *_), line in lines.items():
        what = f"time per byte, {transport}, {wait}, {units.message_size(sizes[0])} to {units.message_size(sizes[1])}"
        of = {"transport": transport, "wait": wait}
        if len(line) < 2 or floors is None:
            reason = "the file has no floors of these sizes" if floors is None else "one of the two sizes was not measured"
            rows.append(Evidence(what, units.MISSING, reason, UNKNOWN, of))
            continue
        small, large = (figures_by_round(line[size], rule["figure"]) for size in sizes)
        touched = [floor["write_ns"] + floor["read_ns"] for floor in floors]
        copied = floors[1]["memcpy_ns"] - floors[0]["memcpy_ns"]
        values = [
            (large[round_] - small[round_] - (touched[1] - touched[0])) / copied for round_ in large if round_ in small
        ]
        rows.append(number_row(what, of, values, rule["expect"], lambda value: f"{units.significant(value)} copies"))
    if not rows:
        rows.append(Evidence(title_of(rule), units.MISSING, nothing_chosen(file, rule["of"]), UNKNOWN))
    return rows


def fact_rows(file: ResultFile, rule: dict) -> list[Evidence]:
    rows = []
    for transport in values_of(rule, "transport"):
        of, what = {"transport": transport}, f"{transport}: {rule['fact']}"
        facts = file.facts.get(transport, {})
        ((how, wanted),) = rule["expect"].items()
        if how == "as":
            other = file.facts.get(wanted, {}).get(rule["fact"])
            what += f", as of {wanted}"
            allowed = [other] if other is not None else None
        else:
            allowed = wanted
        if rule["fact"] not in facts or allowed is None:
            reason = "the file has no such fact" if facts else f"this run has no {transport}"
            rows.append(Evidence(what, units.MISSING, reason, UNKNOWN, of))
        else:
            value = facts[rule["fact"]]
            rows.append(Evidence(what, value, "", HOLDS if value in allowed else FAILS, of))
    return rows


def rows_of(file: ResultFile, rule: dict) -> list[Evidence]:
    """Of one transport together, small before large."""

    def order(row):
        place = {key: row.of[key] for key in APART if key in row.of}
        transport = figures.transport_order(place.pop("transport", ""))
        capacity = place.pop("capacity", "")
        return (
            *(str(place.pop("workload", "")), transport, place.pop("message_bytes", 0), len(capacity), capacity),
            *(place.pop(key, 0) for key in ("work", "burst", "stages")),
            *(tuple(map(str, place.values())), str(row.of.get("against", ""))),
        )

    rows = ROWS[rule["kind"]](file, rule)
    return rows if rule["kind"] == "fact" else sorted(rows, key=order)


ROWS = {"ratio": ratio_rows, "figure": figure_rows, "slope": slope_rows, "fact": fact_rows}


# --- from rows to a verdict -----------------------------------------------------------------------------------------


def listed(words: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def dividing_line(rows: list[Evidence]) -> str:
    """What sets rows that hold apart from the others: 'from 4 KiB', 'for tcp, not for pipe'; else how many hold."""
    for key in (*APART, "against"):
        sides: dict[object, set[bool]] = {}
        for row in rows:
            if key not in row.of:
                break
            sides.setdefault(row.of[key], set()).add(row.says == HOLDS)
        else:
            if len(sides) > 1 and all(len(said) == 1 for said in sides.values()):
                good = [value for value, said in sides.items() if True in said]
                bad = [value for value in sides if value not in good]
                if not good or not bad:
                    continue
                if key in ("message_bytes", "work", "burst"):
                    if min(good) > max(bad):
                        return f"from {word(key, min(good))}"
                    if max(good) < min(bad):
                        return f"up to {word(key, max(good))}"
                sure = all(row.says == FAILS for row in rows if row.of[key] in bad)
                texts = [listed([word(key, value) for value in values]) for values in (good, bad)]
                side = "against" if key == "against" else "for"
                return f"{side} {texts[0]}, {'not' if sure else 'not surely'} {side} {texts[1]}"
    if len(rows) == 1:
        return "the interval does not decide"
    others = [row for row in rows if row.says != HOLDS]
    if len(others) == 1:
        return f"in all but one: {others[0].what}"
    counts = {said: sum(row.says == said for row in rows) for said in (HOLDS, FAILS, DEPENDS)}
    if counts[DEPENDS] == len(rows):
        return "no interval decides"
    words = {HOLDS: "holds", FAILS: "does not", DEPENDS: "undecided"}
    return ", ".join(f"{words[said]} in {count}" for said, count in counts.items() if count) + f" of {len(rows)}"


def verdict_of(rows: list[Evidence]) -> tuple[str, str]:
    known = [row for row in rows if row.says != UNKNOWN]
    missing = [row for row in rows if row.says == UNKNOWN]
    said = {row.says for row in known}
    if DEPENDS in said or len(said) > 1:
        remark = dividing_line(known)
        return DEPENDS, remark + (f"; {len(missing)} of {len(rows)} not measured" if missing else "")
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        return UNKNOWN, f"{missing[0].what}: {missing[0].interval}{more}"
    return known[0].says, ""


def span(rule: dict, rows: list[Evidence]) -> str:
    """'round trip, p50 × 1.20 to × 9.31': the figures of many rows in one."""
    ordered = sorted((row for row in rows if row.number is not None), key=lambda row: row.number)
    if len(ordered) < 2:
        return ""
    ends = dict.fromkeys((ordered[0].value, ordered[-1].value))
    return f"{title_of(rule)} {' to '.join(ends)}"


def evaluate(file: ResultFile, claim: dict) -> Lecture:
    """All rules must hold. One that does not decides; one that depends, or is not measured, leaves it so."""
    by_rule = [rows_of(file, rule) for rule in claim["rules"]]
    verdicts = [verdict_of(rows) for rows in by_rule]
    at = next(i for one in (FAILS, DEPENDS, UNKNOWN, HOLDS) for i, (said, _) in enumerate(verdicts) if said == one)
    chosen = verdicts[at]
    if len(verdicts) > 1 and chosen[0] == DEPENDS:
        chosen = (chosen[0], ": ".join(filter(None, (title_of(claim["rules"][at]), chosen[1]))))
    if not chosen[1]:
        deciding = [i for i, (said, _) in enumerate(verdicts) if said == chosen[0]]
        chosen = (chosen[0], "; ".join(filter(None, (span(claim["rules"][i], by_rule[i]) for i in deciding))))
    evidence = [row for rows in by_rule for row in rows]
    return Lecture(
        claim["id"], claim["topic"], claim["whose"], claim["claim"], claim.get("note", ""), Outcome(*chosen, evidence)
    )


@dataclass(frozen=True)
class LecturesSection:
    source: str
    counts: list[tuple[str, int]]  # (word, claims)
    topics: list[tuple[str, list[Lecture]]]
    missing: list[tuple[str, str]]  # (mechanism, what it is)


def section_of(file: ResultFile, letter: str, book: dict) -> LecturesSection:
    topics: dict[str, list[Lecture]] = {}
    for claim in book["claims"]:
        topics.setdefault(claim["topic"], []).append(evaluate(file, claim))
    words = [lecture.outcome.word for lectures in topics.values() for lecture in lectures]
    return LecturesSection(
        letter,
        [(one, words.count(one)) for one in (HOLDS, FAILS, DEPENDS, UNKNOWN) if one in words],
        list(topics.items()),
        [(name, what) for name, what in book["missing"].items() if name not in file.facts],
    )


def sections_of(files: list[ResultFile]) -> list[LecturesSection]:
    """One for each run of the suite that was made for the claims."""
    asked = [(file, letter) for letter, file in zip(figures.source_letters(files), files) if file.run.get("suite") == SUITE]
    book = load() if asked else {}
    return [section_of(file, letter, book) for file, letter in asked]
