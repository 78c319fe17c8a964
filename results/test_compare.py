"""`ipcmark compare` on files as it writes them, with scipy as the oracle, and what a gate ends with."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy
import pytest
import scipy.stats


@pytest.fixture(scope="module")
def compare():
    binary = os.environ.get("IPCMARK_BINARY")
    if not binary:
        pytest.skip("IPCMARK_BINARY names no program")

    def run(*words):
        return subprocess.run([binary, "compare", *map(str, words)], capture_output=True, text=True, env=os.environ | {"NO_COLOR": "1"})

    return run


def comparison(done) -> dict:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def base(samples) -> Path:
    return samples / "base.json"


@pytest.fixture(scope="module")
def slower(samples) -> Path:
    """The sample that is half as slow again, and without the failed launch that makes one of its cases invalid."""
    document = json.loads((samples / "slower.json").read_text())
    document["ipcmark"]["failures"] = []
    path = samples / "slower-only.json"
    path.write_text(json.dumps(document))
    return path


def series(path: Path, case_id: str, figure: str) -> list[float]:
    records = [record for record in json.loads(path.read_text())["benchmarks"] if record["name"] == case_id]
    read = {
        "p50_ns": lambda record: record["ipcmark"]["distribution"]["p50_ns"],
        "p99_ns": lambda record: record["ipcmark"]["distribution"]["p99_ns"],
        "messages_per_second": lambda record: record["items_per_second"],
        "cpu_ns_per_message": lambda record: record["cpu_time"],
    }[figure]
    return [read(record) for record in records]


def test_ratios_p_values_and_corrections_are_scipys(compare, base, slower):
    found = comparison(compare(base, slower, "--json"))
    primary, every = [], []
    for case in found["cases"]:
        for figure in case["figures"]:
            old, new = (series(path, case["id"], figure["figure"]) for path in (base, slower))
            ties = len(set(old + new)) < len(old + new)
            if not ties:
                expected = scipy.stats.mannwhitneyu(old, new, method="exact").pvalue
                assert figure["p"] == pytest.approx(expected, rel=1e-9)
            ratio = numpy.exp(numpy.median(numpy.subtract.outer(numpy.log(new), numpy.log(old))))
            assert figure["ratio"] == pytest.approx(ratio, rel=1e-9)
            assert figure["interval"]["low"] < ratio < figure["interval"]["high"]
            assert figure["base"]["median"] == pytest.approx(numpy.median(old))
            assert figure["base"]["low"] <= figure["base"]["median"] <= figure["base"]["high"]
            every.append(figure)
        primary.append(case["figures"][0])
    assert [figure["figure"] for figure in primary] == ["p50_ns", "messages_per_second"]
    p = sorted(figure["p"] for figure in primary)
    assert sorted(figure["p_holm"] for figure in primary) == pytest.approx([2 * p[0], max(2 * p[0], p[1])])
    # Benjamini and Hochberg by their definition: the least share at which a p-value would still be refused.
    ordered = sorted(figure["p"] for figure in every)
    for figure in every:
        shares = [len(every) * ordered[k] / (k + 1) for k in range(len(every)) if ordered[k] >= figure["p"]]
        assert figure["q"] == pytest.approx(min(1, *shares))


def test_a_regression_ends_a_gate_with_1_and_nothing_else_does(compare, samples, base, slower):
    assert compare(base, slower).returncode == 0
    assert compare(base, slower, "--fail-on-regression").returncode == 1
    assert compare(samples / "slower.json", base, "--fail-on-regression").returncode == 0
    assert compare(base, slower, "--fail-on-regression", "--threshold", "60%").returncode == 0


def test_a_result_that_is_not_valid_decides_nothing_and_says_so(compare, samples, base):
    """In slower.json one launch of a case failed."""
    gate = compare(base, samples / "slower.json", "--fail-on-regression", "--json")
    undecided = [case for case in json.loads(gate.stdout)["cases"] if case["outcome"] == "undecided"]
    assert [case["would_be"] for case in undecided] == ["regression"]
    assert "decides nothing" in gate.stderr and "killed by signal 9" in gate.stderr


def test_launches_that_fail_where_none_did_end_a_gate_with_1(compare, base, tmp_path):
    """Both files hold one failed launch of a case: it is in the base too, so nothing became worse."""
    assert compare(base, base, "--fail-on-regression").returncode == 0
    document = json.loads(base.read_text())
    document["ipcmark"]["failures"] = []
    (tmp_path / "sound.json").write_text(json.dumps(document))
    gate = compare(tmp_path / "sound.json", base, "--fail-on-regression")
    assert gate.returncode == 1
    assert "1 launch failed, none in the base" in gate.stderr
    assert compare(base, tmp_path / "sound.json", "--fail-on-regression").returncode == 0


def test_a_failure_in_any_file_of_the_base_is_none_of_the_new_one(compare, base, tmp_path):
    """The base holds two machines; the second one's case failed there."""
    document = json.loads(base.read_text())
    document["ipcmark"]["failures"] = []
    new = json.dumps(document)
    document["ipcmark"]["machine"]["fingerprint"] = "beef"
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "a.json").write_text(new)
    (tmp_path / "new" / "b.json").write_text(json.dumps(document))
    lost = document["benchmarks"][0]["name"]
    document["benchmarks"] = [record for record in document["benchmarks"] if record["name"] != lost]
    case = document["benchmarks"][0]["ipcmark"]["case"]
    document["ipcmark"]["failures"] = [{"id": lost, "case": case, "round": 0, "reason": "sender 0: hung"}]
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "a.json").write_text(new)
    (tmp_path / "old" / "b.json").write_text(json.dumps(document))
    assert compare(tmp_path / "old", tmp_path / "new", "--fail-on-regression").returncode == 0


def test_a_gate_says_how_many_cases_of_the_base_are_not_in_the_new_file(compare, base, tmp_path):
    document = json.loads(base.read_text())
    lost = document["benchmarks"][0]["name"]
    document["benchmarks"] = [record for record in document["benchmarks"] if record["name"] != lost]
    (tmp_path / "less.json").write_text(json.dumps(document))
    gate = compare(base, tmp_path / "less.json", "--fail-on-regression")
    assert gate.returncode == 0
    assert "1 case of the base has nothing to be held against" in gate.stderr
    assert "nothing to be held against" not in compare(tmp_path / "less.json", base, "--fail-on-regression").stderr


def test_a_case_that_fails_where_it_was_measured_ends_a_gate_with_1(compare, samples, base, tmp_path):
    document = json.loads(base.read_text())
    lost = document["benchmarks"][0]["name"]
    document["benchmarks"] = [record for record in document["benchmarks"] if record["name"] != lost]
    case = document["benchmarks"][0]["ipcmark"]["case"]
    document["ipcmark"]["failures"] = [{"id": lost, "case": case, "round": 0, "reason": "sender 0: hung"}]
    (tmp_path / "new.json").write_text(json.dumps(document))
    gate = compare(base, tmp_path / "new.json", "--fail-on-regression")
    assert gate.returncode == 1
    assert "sender 0: hung" in gate.stderr


def test_a_gate_that_could_judge_nothing_is_bad_input(compare, base, tmp_path):
    document = json.loads(base.read_text())
    document["ipcmark"]["machine"] |= {"fingerprint": "beef", "kernel": "7.0"}
    (tmp_path / "other.json").write_text(json.dumps(document))
    shown = compare(base, tmp_path / "other.json")
    assert shown.returncode == 0
    assert "no verdict: not one machine in one state: kernel 6.1.0 / 7.0" in shown.stdout
    assert "in floors" in shown.stdout
    gate = compare(base, tmp_path / "other.json", "--fail-on-regression")
    assert gate.returncode == 2
    assert "nothing could be judged" in gate.stderr


def test_folders_and_journals_are_read_too(compare, samples, base, slower, tmp_path):
    (tmp_path / "old").mkdir()
    shutil.copy(base, tmp_path / "old" / "a.json")
    shutil.copy(base, tmp_path / "old" / "b.json")
    found = comparison(compare(tmp_path / "old", slower, "--json"))
    assert [column["files"] for column in found["columns"]] == [2, 1]
    assert [column["launches"] for column in found["columns"]] == [40, 20]
    journal = comparison(compare(base, samples / "unfinished.json.journal", "--json"))
    assert [column["launches"] for column in journal["columns"]] == [20, 4]
    assert journal["launches_to_judge"] == 6


def test_the_other_end_of_a_pipe_is_read_too(compare, base, slower):
    """As of BASE <(zcat NEW.gz): a name under /dev/fd that leads nowhere."""
    program = os.environ["IPCMARK_BINARY"]
    for words in ("", "--by file"):
        done = subprocess.run(
            ["bash", "-c", f'"$0" compare "$1" <(cat "$2") {words}', program, base, slower], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr


def test_markdown_and_table_say_the_same(compare, base, slower):
    table, markdown = (compare(base, slower, *words).stdout for words in ((), ("--markdown",)))
    summary = next(line for line in table.splitlines() if " cases: " in line)
    assert markdown.startswith(f"**{summary}**")
    assert "\x1b" not in table


@pytest.mark.parametrize(
    "content, says",
    [
        ("{}", "is no result file of ipcmark"),
        ('{"benchmarks": [', "not valid JSON"),
        ('{"ipcmark": {"schema_version": 99}}', "this ipcmark reads 1"),
        ("", "not valid JSON"),
    ],
)
def test_bad_input_is_one_line_and_status_2(compare, base, tmp_path, content, says):
    (tmp_path / "bad.json").write_text(content)
    for paths in ((base, tmp_path / "bad.json"), (base, tmp_path)):
        done = compare(*paths)
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1
        assert "bad.json" in done.stderr and says in done.stderr


def test_sides_without_a_common_case_are_refused(compare, base, tmp_path):
    document = json.loads(base.read_text())
    document["benchmarks"] = []
    (tmp_path / "empty.json").write_text(json.dumps(document))
    done = compare(base, tmp_path / "empty.json")
    assert done.returncode == 2
    assert "no case was measured on both sides" in done.stderr


def test_keys_of_case_and_machine_group(compare, base, slower):
    found = comparison(compare(base, slower, "--by", "file", "--json"))
    assert [column["label"] for column in found["columns"]] == [str(base), str(slower)]
    assert compare(base, base, "--by", "size").returncode == 2
    assert "allowed: workload" in compare(base, "--by", "flavour").stderr
    assert compare(base, slower, "--by", "size", "--fail-on-regression").returncode == 2
