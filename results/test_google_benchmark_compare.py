"""Google Benchmark's own compare.py reads our files (Debian: libbenchmark-tools)."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest


def installed_compare() -> Path | None:
    try:
        listing = subprocess.run(["dpkg", "-L", "libbenchmark-tools"], capture_output=True, text=True, check=True).stdout
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None
    return next((Path(line) for line in listing.splitlines() if line.endswith("/compare.py")), None)


COMPARE = installed_compare()
pytestmark = pytest.mark.skipif(COMPARE is None, reason="the Debian package libbenchmark-tools is not installed")


def table(base, contender) -> list[str]:
    """The lines it prints. -B: no bytecode beside the package's files."""
    command = [sys.executable, "-B", str(COMPARE), "--no-color", "benchmarks", str(base), str(contender)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.fixture(scope="module")
def comparison(samples):
    """The second file is 1.5 times as slow as the first."""
    return table(samples / "base.json", samples / "slower.json")


@pytest.fixture(scope="module")
def documents(samples):
    return [json.loads((samples / name).read_text()) for name in ("base.json", "slower.json")]


def ids(documents):
    return [case["id"] for case in documents[0]["ipcmark"]["cases"]]


def test_every_launch_is_a_line_of_its_table(comparison, documents):
    for case_id in ids(documents):
        assert len([line for line in comparison if line.startswith(case_id + " ")]) == 10


def test_it_shows_the_times_and_the_change_that_are_in_the_files(comparison, documents):
    case_id = ids(documents)[0]
    old, new = ([b for b in document["benchmarks"] if b["name"] == case_id] for document in documents)
    rows = [line.split()[1:] for line in comparison if line.startswith(case_id + " ")]
    for row, before, after in zip(rows, old, new, strict=True):
        change, _, time_old, time_new, cpu_old, cpu_new = map(float, row)
        assert change == pytest.approx(after["real_time"] / before["real_time"] - 1, abs=1e-4)
        assert change == pytest.approx(0.5, abs=0.1)
        shown = (time_old, time_new, cpu_old, cpu_new)
        kept = (before["real_time"], after["real_time"], before["cpu_time"], after["cpu_time"])
        assert shown == pytest.approx(kept, abs=0.51)


def test_its_u_test_takes_launches_as_repetitions_and_finds_the_difference(comparison, documents):
    for case_id in ids(documents):
        lines = [line for line in comparison if line.startswith(case_id + "_pvalue")]
        assert len(lines) == 1
        assert "U Test, Repetitions: 10 vs 10" in lines[0]
        assert "WARNING" not in lines[0]
        p_of_time = float(re.split(r"\s+", lines[0])[1])
        assert p_of_time < 0.001


def test_it_finds_no_difference_between_a_file_and_itself(samples, documents):
    lines = table(samples / "base.json", samples / "base.json")
    changes = [line.split()[1] for line in lines for case_id in ids(documents) if line.startswith(case_id + " ")]
    assert changes == 20 * ["+0.0000"]
