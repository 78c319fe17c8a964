"""The lectures page: its claims are well-formed, its rules decide from result files alone, and the suite has their cases."""

import copy
import json
import math
import os
import subprocess
from pathlib import Path

import pytest

import lectures
import report
from lectures import DEPENDS, FAILS, HOLDS, UNKNOWN
from results import Case, read
import sample

ROOT = Path(lectures.__file__).resolve().parent.parent
BOOK = json.loads(lectures.TEXTBOOK.read_text(encoding="utf-8"))


def write_run(directory, figures, *, launches=6, facts=None, failures=(), verdicts=None, name="run.json"):
    """A file of suite textbook. figures: (case, what is to differ in each launch: a function of launch and round)."""
    document = sample.document("one_case", 1)
    own = document["ipcmark"]
    own["run"]["suite"] = "textbook"
    own["transports"] = [
        {"transport": transport, "facts": [{"name": name_, "value": value} for name_, value in found.items()]}
        for transport, found in (facts or {}).items()
    ]
    template = document["benchmarks"][0]
    document["benchmarks"], own["cases"] = [], []
    own["failures"] = [{"id": sample.case_id(c), "case": c, "round": 1, "reason": reason} for c, reason in failures]
    for c, change in figures:
        for round_ in range(1, launches + 1):
            launch = copy.deepcopy(template)
            launch["name"] = launch["run_name"] = sample.case_id(c)
            launch["ipcmark"]["case"], launch["ipcmark"]["round"] = c, round_
            change(launch, round_)
            document["benchmarks"].append(launch)
        verdict = (verdicts or {}).get(sample.case_id(c), {"grade": "ok", "reasons": ["quiet"]})
        own["cases"].append({"id": sample.case_id(c), "verdict": verdict})
    path = Path(directory) / name
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def takes(ns):
    def change(launch, round_):
        launch["real_time"] = ns * (1 + round_ / 1000)
        launch["items_per_second"] = 1e9 / launch["real_time"]

    return change


def claim(*rules):
    return {"id": "x", "topic": "t", "whose": "ours", "claim": "c", "rules": list(rules)}


def outcome(path, *rules):
    return lectures.evaluate(read(path), claim(*rules)).outcome


def slower(expect="above"):
    return {
        "kind": "ratio",
        "figure": "ns_per_message",
        "of": {"workload": "stream", "transport": "tcp"},
        "against": {"workload": "stream", "transport": "pipe"},
        "expect": {expect: 1},
    }


def pair(size, of_ns, against_ns):
    return [
        (sample.case("stream", "tcp", size), takes(of_ns)),
        (sample.case("stream", "pipe", size), takes(against_ns)),
    ]


# --- the list of claims ---------------------------------------------------------------------------------------------


def test_the_claims_are_well_formed():
    lectures.check(BOOK)
    assert len(BOOK["claims"]) > 30
    assert {one["whose"] for one in BOOK["claims"]} == set(lectures.WHOSE)


def spoilt():
    def stranger(book):
        book["claims"][0]["verdict"] = "holds"

    def kind(book):
        book["claims"][0]["rules"][0]["kind"] = "opinion"

    def selection(book):
        book["claims"][0]["rules"][0]["of"]["colour"] = "red"

    def rule_key(book):
        book["claims"][0]["rules"][0]["except"] = "tcp"

    def expectation(book):
        book["claims"][0]["rules"][0]["expect"] = {"roughly": 1}

    def twice(book):
        book["claims"].append(book["claims"][0])

    def lack(book):
        del book["claims"][0]["claim"]

    return [stranger, kind, selection, rule_key, expectation, twice, lack]


@pytest.mark.parametrize("spoil", spoilt(), ids=lambda spoil: spoil.__name__)
def test_a_claim_with_a_mistake_in_it_is_refused(spoil):
    book = copy.deepcopy(BOOK)
    spoil(book)
    with pytest.raises(lectures.BadTextbook):
        lectures.check(book)


def planned():
    """The cases of the suite, those that this machine skips as well; from the program itself."""
    binary = os.environ.get("IPCMARK_BINARY")
    if not binary:
        built = [*ROOT.glob("build*/ipcmark"), *ROOT.glob("build*/*/ipcmark")]
        if not built:
            pytest.fail("ipcmark is not built: build it under build/, or name it in IPCMARK_BINARY")
        binary = max(built, key=lambda path: path.stat().st_mtime)
    suite = ROOT / "workloads" / "suites" / "textbook.json"
    text = subprocess.run([binary, "list", "cases", "--suite", suite, "--json"], capture_output=True, check=True).stdout
    return [case_of(record["case"]) for record in json.loads(text)]


def case_of(case_id):
    words = dict(word.split(":", 1) for word in case_id.split("/"))
    words["message_bytes"] = words.pop("size").replace("Ki", " * 1024").replace("Mi", " * 1048576")
    for key in ("wait", "access"):
        send, _, receive = words.pop(key).partition("+")
        words |= {f"send_{key}": send, f"receive_{key}": receive or send}
    kinds = {name: field.type for name, field in Case.__dataclass_fields__.items()}
    numbers = {name for name in words if kinds[name] in (int, "int")}
    return Case(**{name: math.prod(map(int, value.split(" * "))) if name in numbers else value for name, value in words.items()})


def test_the_suite_has_the_cases_of_every_selection_or_the_mechanism_is_named_as_missing():
    cases = planned()
    transports = {case.transport for case in cases}
    for one in BOOK["claims"]:
        for rule in one["rules"]:
            named = [rule] if rule["kind"] == "fact" else [rule[side] for side in ("of", "against") if side in rule]
            for selection in named:
                wanted = lectures.values_of(selection, "transport")
                for transport in wanted:
                    if transport in BOOK["missing"]:
                        continue
                    assert transport in transports, f"{one['id']}: the suite has no {transport}"
                    if rule["kind"] != "fact":
                        narrowed = selection | {"transport": transport}
                        assert any(lectures.selects(narrowed, case) for case in cases), f"{one['id']}: {narrowed}"


# --- rules ----------------------------------------------------------------------------------------------------------


def test_a_ratio_wholly_beyond_five_per_cent_decides(tmp_path):
    assert outcome(write_run(tmp_path, pair(64, 300, 200)), slower()).word == HOLDS
    assert outcome(write_run(tmp_path, pair(64, 200, 300)), slower()).word == FAILS
    assert outcome(write_run(tmp_path, pair(64, 204, 200)), slower()).word == DEPENDS
    assert outcome(write_run(tmp_path, pair(64, 204, 200)), slower("about")).word == HOLDS
    assert outcome(write_run(tmp_path, pair(64, 300, 200)), slower("about")).word == FAILS
    assert outcome(write_run(tmp_path, pair(64, 200, 300)), slower("below")).word == HOLDS


def test_an_interval_that_reaches_into_five_per_cent_does_not_decide(tmp_path):
    def unsteady(launch, round_):
        takes(300 if round_ > 1 else 190)(launch, round_)

    cases = [(sample.case("stream", "tcp"), unsteady), (sample.case("stream", "pipe"), takes(200))]
    assert outcome(write_run(tmp_path, cases), slower()).word == DEPENDS


def test_launches_of_one_round_are_compared(tmp_path):
    """Both become slower together, by more than they differ: round by round the ratio is the same."""

    def drifts(ns):
        return lambda launch, round_: takes(ns * round_)(launch, 0)

    cases = [(sample.case("stream", "tcp"), drifts(120)), (sample.case("stream", "pipe"), drifts(100))]
    found = outcome(write_run(tmp_path, cases), slower())
    assert found.word == HOLDS
    assert found.evidence[0].value == "× 1.20"


def test_sizes_that_disagree_say_from_which_on(tmp_path):
    cases = pair(64, 200, 300) + pair(4096, 300, 200) + pair(65536, 300, 200)
    found = outcome(write_run(tmp_path, cases), slower())
    assert (found.word, found.remark) == (DEPENDS, "from 4 KiB")
    cases = pair(64, 300, 200) + pair(4096, 300, 200) + pair(65536, 200, 300)
    found = outcome(write_run(tmp_path, cases), slower())
    assert (found.word, found.remark) == (DEPENDS, "up to 4 KiB")


def test_what_is_invalid_failed_or_not_there_is_not_measured(tmp_path):
    tcp = sample.case("stream", "tcp")
    invalid = {sample.case_id(tcp): {"grade": "invalid", "reasons": ["the host took it away"]}}
    found = outcome(write_run(tmp_path, pair(64, 300, 200), verdicts=invalid), slower())
    assert found.word == UNKNOWN
    assert "the host took it away" in found.remark
    found = outcome(write_run(tmp_path, pair(64, 300, 200), failures=[(tcp, "receiver 1: killed")]), slower())
    assert found.word == UNKNOWN
    assert "receiver 1: killed" in found.remark
    found = outcome(write_run(tmp_path, pair(64, 300, 200)[1:]), slower())
    assert found.word == UNKNOWN
    assert "no tcp" in found.remark
    found = outcome(write_run(tmp_path, pair(64, 300, 200), launches=5), slower())
    assert found.word == UNKNOWN
    assert "5 launches" in found.remark


def test_a_mechanism_that_is_not_there_is_named_before_what_else_is_wrong(tmp_path):
    pipe = sample.case("stream", "pipe")
    invalid = {sample.case_id(pipe): {"grade": "invalid", "reasons": ["the host took it away"]}}
    found = outcome(write_run(tmp_path, [(pipe, takes(200))], verdicts=invalid), slower())
    assert found.word == UNKNOWN
    assert "this run has no tcp" in found.remark


def test_a_noisy_result_is_judged_by_its_interval(tmp_path):
    noisy = {sample.case_id(sample.case("stream", "tcp")): {"grade": "noisy", "reasons": ["spread"]}}
    assert outcome(write_run(tmp_path, pair(64, 300, 200), verdicts=noisy), slower()).word == HOLDS


def test_a_figure_is_held_against_a_number(tmp_path):
    def traced(count):
        def change(launch, round_):
            if round_ == 1:
                calls = [{"role": "sender 0", "calls": [{"name": "write", "count": count}]}]
                launch["ipcmark"]["examination"] = {"traced_messages": 100, "traced": calls}

        return change

    rule = {"kind": "figure", "figure": "system_calls", "of": {"transport": "pipe"}, "expect": {"above": 1}}
    assert outcome(write_run(tmp_path, [(sample.case("stream", "pipe"), traced(200))]), rule).word == HOLDS
    assert outcome(write_run(tmp_path, [(sample.case("stream", "pipe"), traced(2))]), rule).word == FAILS
    assert outcome(write_run(tmp_path, [(sample.case("stream", "pipe"), takes(5))]), rule).word == UNKNOWN


def test_one_damaged_message_in_one_launch_is_enough(tmp_path):
    def lost_in(wanted):
        def change(launch, round_):
            launch["ipcmark"]["integrity"]["lost"] = int(round_ in wanted)

        return change

    rule = {"kind": "figure", "figure": "damage", "of": {"transport": "pipe"}, "expect": {"equal": 0}}
    assert outcome(write_run(tmp_path, [(sample.case("stream", "pipe"), lost_in(()))]), rule).word == HOLDS
    assert outcome(write_run(tmp_path, [(sample.case("stream", "pipe"), lost_in((3,)))]), rule).word == DEPENDS
    assert outcome(write_run(tmp_path, [(sample.case("stream", "pipe"), lost_in(range(9)))]), rule).word == FAILS


def test_bursts_are_told_apart_by_what_really_fits(tmp_path):
    def of(fits, waited):
        def change(launch, round_):
            launch["ipcmark"]["capacity"]["fits"] = {"min": fits, "max": fits, "lower_bound": False}
            names = (("bursts", 10), ("bursts_that_waited", waited))
            launch["ipcmark"]["observations"] = [{"name": n, "unit": "bursts", "value": v} for n, v in names]

        return change

    def rule(fits, share):
        selection = {"workload": "burst", "transport": "pipe", "burst": [4, 5], "burst_fits": fits}
        return {"kind": "figure", "figure": "bursts_that_waited/bursts", "of": selection, "expect": {"equal": share}}

    cases = [(sample.case("burst", "pipe", burst=burst), of(4, waited)) for burst, waited in ((4, 0), (5, 10))]
    assert outcome(write_run(tmp_path, cases), rule(True, 0), rule(False, 1)).word == HOLDS
    cases = [(sample.case("burst", "pipe", burst=burst), of(64, waited)) for burst, waited in ((4, 0), (5, 10))]
    assert outcome(write_run(tmp_path, cases), rule(True, 0)).word == DEPENDS


def test_a_slope_counts_copies(tmp_path):
    def floors(path, memcpy):
        document = json.loads(path.read_text(encoding="utf-8"))
        touch = [
            {"message_bytes": size, "write_ns": size, "read_ns": size, "memcpy_ns": memcpy * size} for size in (1024, 16384)
        ]
        document["ipcmark"]["machine"]["floors"] = {"touch": touch}
        path.write_text(json.dumps(document), encoding="utf-8")
        return path

    rule = {"kind": "slope", "figure": "ns_per_message", "of": {"transport": "pipe"}, "from": 1024, "to": 16384}
    rule["expect"] = {"above": 2}
    cases = [(sample.case("stream", "pipe", size), takes(1000 + 5 * size)) for size in (1024, 16384)]
    assert outcome(floors(write_run(tmp_path, cases), 1), rule).word == HOLDS  # 5 a byte: 2 to touch it, 3 copies
    assert outcome(floors(write_run(tmp_path, cases), 2), rule).word == FAILS  # 1.5 copies
    assert outcome(write_run(tmp_path, cases[:1]), rule).word == UNKNOWN


def test_a_fact_is_read_from_the_file(tmp_path):
    rule = {"kind": "fact", "fact": "keeps", "transport": ["pipe", "tcp"], "expect": {"is": ["bytes"]}}
    run = pair(64, 1, 1)
    assert outcome(write_run(tmp_path, run, facts={"pipe": {"keeps": "bytes"}, "tcp": {"keeps": "bytes"}}), rule).word == HOLDS
    found = outcome(write_run(tmp_path, run, facts={"pipe": {"keeps": "messages"}, "tcp": {"keeps": "bytes"}}), rule)
    assert (found.word, found.remark) == (DEPENDS, "for tcp, not for pipe")
    assert outcome(write_run(tmp_path, run, facts={"pipe": {"keeps": "bytes"}}), rule).word == UNKNOWN
    same = {"kind": "fact", "fact": "keeps", "transport": "tcp", "expect": {"as": "pipe"}}
    assert outcome(write_run(tmp_path, run, facts={"pipe": {"keeps": "x"}, "tcp": {"keeps": "x"}}), same).word == HOLDS
    assert outcome(write_run(tmp_path, run, facts={"pipe": {"keeps": "x"}, "tcp": {"keeps": "y"}}), same).word == FAILS


def test_one_rule_that_fails_decides(tmp_path):
    run = write_run(tmp_path, pair(64, 300, 200))
    assert outcome(run, slower(), slower("below")).word == FAILS
    assert outcome(run, slower(), slower()).word == HOLDS


# --- the page -------------------------------------------------------------------------------------------------------


def page_verdict(path, directory, claim_id):
    text = report.page([read(path)], [])
    article = text.split(f'id="claim-{claim_id}"')[1].split("</article>")[0]
    return article.split('class="found"><span class="outcome ')[1].split(">")[1].split("<")[0]


def test_a_result_file_changed_by_hand_changes_the_verdict_on_the_page(tmp_path):
    cases = [
        (sample.case(workload, transport), takes(ns))
        for workload in ("ping_pong", "stream")
        for transport, ns in (("pipe", 300), ("fifo", 300))
    ]
    fifo = {"keeps": "bytes", "direction": "one-way", "largest shared message": "4 KiB", "surplus writer withholds end": "yes"}
    path = write_run(tmp_path, cases, facts={"pipe": fifo, "fifo": fifo})
    assert page_verdict(path, tmp_path, "fifo-like-pipe") == HOLDS
    document = json.loads(path.read_text(encoding="utf-8"))
    for launch in document["benchmarks"]:
        if launch["name"].startswith("workload:stream/transport:fifo"):
            launch["real_time"] *= 2
    path.write_text(json.dumps(document), encoding="utf-8")
    assert page_verdict(path, tmp_path, "fifo-like-pipe") == FAILS
    assert page_verdict(path, tmp_path, "encryption-costs") == UNKNOWN


def test_only_a_run_of_the_suite_has_the_section(tmp_path):
    path = write_run(tmp_path, pair(64, 300, 200))
    assert 'id="lectures"' in report.page([read(path)], [])
    document = json.loads(path.read_text(encoding="utf-8"))
    document["ipcmark"]["run"]["suite"] = "quick"
    path.write_text(json.dumps(document), encoding="utf-8")
    assert 'id="lectures"' not in report.page([read(path)], [])
