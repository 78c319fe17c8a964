"""ci/aa deals the rounds of one run to two sides, and counts what differs between them."""

import importlib.machinery
import importlib.util
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "plots"))

import sample  # noqa: E402


def load():
    loader = importlib.machinery.SourceFileLoader("aa", str(HERE / "aa"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("aa", loader))
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    loader.exec_module(module)
    sys.dont_write_bytecode = writes
    return module


aa = load()


def test_of_every_two_rounds_one_goes_to_each_side():
    for seed in range(20):
        dealt = aa.deal(12, seed)
        assert sorted(dealt) == list(range(1, 13))
        for number in range(1, 7):
            assert {dealt[2 * number - 1], dealt[2 * number]} == {("A", number), ("B", number)}
    assert aa.deal(12, 1) == aa.deal(12, 1)
    firsts = Counter(aa.deal(2, seed)[1][0] for seed in range(200))
    assert min(firsts["A"], firsts["B"]) > 50


def test_an_odd_last_round_is_nobodys():
    assert sorted(aa.deal(5, 1)) == [1, 2, 3, 4]


def lines_of(journal):
    return [json.loads(line) for line in journal.splitlines()]


def test_both_sides_have_as_many_launches_of_every_case():
    whole = sample.document("one_case")
    sides = {side: lines_of(text) for side, text in aa.split(whole).items()}
    for lines in sides.values():
        assert lines[0]["type"] == "header" and lines[0]["run"]["launches"] == 3
        assert sorted(line["ipcmark"]["round"] for line in lines[1:]) == [1, 2, 3]
    seen = [line["ipcmark"]["order"] for lines in sides.values() for line in lines[1:]]
    assert sorted(seen) == sorted(record["ipcmark"]["order"] for record in whole["benchmarks"])


def test_one_round_cannot_be_dealt():
    with pytest.raises(aa.Bad):
        aa.split(sample.document("one_launch"))


def figure(ratio=1.0, p=0.5, holm=1.0, q=0.9, base=(99, 101), new=(99, 101)):
    def side(interval):
        return {"median": sum(interval) / 2, "low": interval[0], "high": interval[1], "launches": 6}

    return {"ratio": ratio, "p": p, "p_holm": holm, "q": q, "base": side(base), "new": side(new)}


def case(*figures, outcome="inconclusive", would_be=None, grade="ok"):
    verdict = {"grade": grade, "reasons": ["a reason"]}
    return {"figures": list(figures), "outcome": outcome, "would_be": would_be, "base_verdict": verdict, "verdict": verdict}


def test_each_statistic_is_counted_by_its_own_bound():
    compared = {
        "cases": [
            case(figure(), figure(q=0.001)),
            case(figure(ratio=1 / 1.07, p=0.03)),
            case(figure(ratio=1.3, p=0.002, holm=0.008, base=(90, 100), new=(120, 130)), outcome="regression"),
            case(figure(), outcome="undecided", would_be="same", grade="noisy"),
            case(),
        ],
        "outcomes": {"regression": 1, "improvement": 0, "same": 0, "inconclusive": 3, "undecided": 1},
    }
    assert [found for _, found, _ in aa.counts(compared)] == [1, 2, 1, 1, 1, 2, 1, 1]
    text = aa.report(compared)
    assert "1 regression, 0 improvement, 1 same" in text
    assert "A  1 noisy, 0 invalid, of 5" in text
    assert "median 0.0 %, 95 % of them under 30.0 %" not in text and "under 30.0 %" in text


@pytest.mark.skipif("IPCMARK_BINARY" not in os.environ, reason="no program was built")
def test_a_result_is_compared_with_itself(tmp_path):
    sample.write(tmp_path / "both.json", "one_case")
    done = subprocess.run(
        [HERE / "aa", "--from", tmp_path / "both.json", "-o", tmp_path / "out"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 cases, 3 to 3 launches a side")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["A.json.journal", "B.json.journal"]
    bad = subprocess.run([HERE / "aa", "--from", tmp_path / "missing"], capture_output=True, text=True, timeout=60)
    assert bad.returncode == 2 and bad.stderr.count("\n") == 1
