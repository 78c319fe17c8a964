"""The tests that CONTRIBUTING.md names for each rule of measurement are there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def names_in_the_tree():
    found = set()
    for folder in ("harness", "results", "transports", "workloads"):
        for source in (ROOT / folder).rglob("*_test.cpp"):
            found |= {".".join(names) for names in re.findall(r"^TEST(?:_[FP])?\((\w+),\s*(\w+)\)", source.read_text(), re.MULTILINE)}
    return found


def rules():
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \|$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    return {int(number): re.findall(r"`(\w+\.\w+)`", tests) for number, _, tests in rows}


def test_each_of_the_twelve_rules_has_tests():
    assert sorted(rules()) == list(range(1, 13))
    assert all(rules().values())


def test_every_test_that_is_named_is_in_the_tree():
    there = names_in_the_tree()
    assert [name for tests in rules().values() for name in tests if name not in there] == []
