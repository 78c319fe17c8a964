"""What `ipcmark export` writes, read by the rules that the tools it is for follow."""

import csv
import io
import json
import math
import os
import re
import subprocess

import numpy
import pytest


@pytest.fixture(scope="module")
def export():
    binary = os.environ.get("IPCMARK_BINARY")
    if not binary:
        pytest.skip("IPCMARK_BINARY names no program")

    def run(*words):
        return subprocess.run([binary, "export", *map(str, words)], capture_output=True, text=True)

    return run


@pytest.fixture(scope="module")
def base(samples):
    """Two cases of ten launches, one of them invalid: a launch failed."""
    return samples / "base.json"


@pytest.fixture(scope="module")
def records(base):
    return json.loads(base.read_text())["benchmarks"]


def text_of(done) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_bencher_takes_it(export, base, records):
    """Bencher Metric Format: name -> measure -> {value, lower_value, upper_value}, the value between the two."""
    metrics = json.loads(text_of(export(base, "--format", "bencher")))
    assert list(metrics) == [records[0]["name"]], "one record a case, the invalid one left out"
    for name, measures in metrics.items():
        assert 0 < len(name) <= 1024
        for measure, metric in measures.items():
            assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", measure), "a slug"
            assert set(metric) <= {"value", "lower_value", "upper_value"}
            assert metric["lower_value"] <= metric["value"] <= metric["upper_value"]
    launches = [r["ipcmark"]["distribution"]["p50_ns"] for r in records if r["name"] == records[0]["name"]]
    assert metrics[records[0]["name"]]["latency"]["value"] == numpy.median(launches)


def test_github_action_benchmark_takes_it(export, base, records):
    """tool: customSmallerIsBetter, an array of {name, unit, value} with optional texts range and extra."""
    entries = json.loads(text_of(export(base, "--format", "github")))
    names = [entry["name"] for entry in entries]
    assert names == [records[0]["name"]]
    for entry in entries:
        assert set(entry) <= {"name", "unit", "value", "range", "extra"}
        assert isinstance(entry["value"], (int, float)) and math.isfinite(entry["value"])
        assert all(isinstance(entry[key], str) for key in ("name", "unit", "range", "extra"))
    assert entries[0]["unit"] == "ns"


def test_what_is_left_out_is_named(export, base):
    done = export(base, "--format", "github")
    assert "left out" in done.stderr and "invalid" in done.stderr
    assert export(base, "--format", "csv").stderr == ""


@pytest.fixture
def scheduled(base, tmp_path):
    """The sample with messages that come when they are due, too few for a median."""
    document = json.loads(base.read_text())
    for record in document["benchmarks"]:
        if (distribution := record["ipcmark"]["distribution"]) and distribution["of"] == "round_trip_ns":
            distribution |= {"of": "one_way_ns", "p50_ns": None, "p99_ns": None}
    path = tmp_path / "scheduled.json"
    path.write_text(json.dumps(document))
    return path


def test_what_a_schedule_takes_is_no_latency(export, scheduled, records):
    name = records[0]["name"]
    done = export(scheduled, "--format", "bencher")
    assert list(json.loads(text_of(done))[name]) == ["cpu-per-message"]
    assert f"{name}: has no latency" in done.stderr
    done = export(scheduled, "--format", "github")
    assert json.loads(text_of(done)) == []
    assert f"{name}: has no latency" in done.stderr


def test_csv_is_a_long_table(export, base, records):
    text = text_of(export(base, "--format", "csv"))
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    assert all(None not in row and None not in row.values() for row in rows), "every row has every column"
    assert {row["fingerprint"] for row in rows} == {"f00d"}
    for record in records:
        order = str(record["ipcmark"]["order"])
        figures = {row["figure"]: float(row["value"]) for row in rows if row["order"] == order}
        assert figures["ns_per_message"] == pytest.approx(record["real_time"])
        assert figures["messages_per_second"] == pytest.approx(record["items_per_second"])
        assert figures["cpu_ns_per_message"] == pytest.approx(record["cpu_time"])
        case = record["ipcmark"]["case"]
        row = next(row for row in rows if row["order"] == order)
        assert (row["workload"], row["transport"], int(row["message_bytes"])) == (
            case["workload"], case["transport"], case["message_bytes"])
        assert row["verdict"] == record["ipcmark"]["verdict"]["grade"]


def samples_of(encoded: str) -> numpy.ndarray:
    """Lowest value and count of each bucket of "h1;count;min;max;sum;body" (harness/histogram.h)."""
    bucket, pairs = 0, []
    for word in encoded.split(";")[5].split():
        step, _, count = word.partition("x")
        bucket += int(step)
        low = bucket if bucket < 256 else (128 + bucket % 128) << (bucket // 128 - 1)
        pairs.append((low, int(count or 1)))
    return numpy.array(pairs)


def test_hgrm_is_read_as_hdrhistogram_plots_read_it(export, base, records):
    """Lines of Value Percentile TotalCount 1/(1-Percentile), ascending; the last has no fourth; # begins a comment."""
    text = text_of(export(base, "--format", "hgrm"))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert lines[0].split() == ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]
    rows = [[float(word) for word in line.split()] for line in lines[1:]]
    assert [len(row) for row in rows] == [4] * (len(rows) - 1) + [3]
    values, shares, counts = (numpy.array([row[i] for row in rows]) for i in range(3))
    assert (numpy.diff(values) >= 0).all() and (numpy.diff(shares) > 0).all() and (numpy.diff(counts) >= 0).all()
    assert shares[0] == 0 and shares[-1] == 1
    for row in rows[:-1]:
        assert row[3] == pytest.approx(1 / (1 - row[1]), rel=1e-6, abs=0.006)

    launches = [r["ipcmark"]["distribution"] for r in records if r["name"] == records[0]["name"]]
    assert counts[-1] == sum(launch["count"] for launch in launches)
    assert values[-1] == max(launch["max_ns"] for launch in launches)
    buckets = numpy.concatenate([samples_of(launch["histogram"]) for launch in launches])
    for value, share, count in zip(values, shares, counts):
        below = buckets[buckets[:, 0] <= value][:, 1].sum()
        assert count == below
        assert count >= share * counts[-1]
    mean, deviation = re.search(r"#\[Mean    = *([\d.]+), StdDeviation   = *([\d.]+)\]", text).groups()
    exact = sum(launch["mean_ns"] * launch["count"] for launch in launches) / counts[-1]
    assert float(mean) == pytest.approx(exact, rel=1e-6)
    assert float(deviation) > 0
    assert re.search(rf"#\[Max     = *{values[-1]:.3f}, Total count    = *{int(counts[-1])}\]", text)


def test_windows_of_many_messages_are_no_latency(export, base, records, tmp_path):
    document = json.loads(base.read_text())
    document["ipcmark"]["failures"] = []
    (tmp_path / "sound.json").write_text(json.dumps(document))
    stream = next(record["name"] for record in records if "workload:stream" in record["name"])
    done = export(tmp_path / "sound.json", "--format", "hgrm")
    assert f"# {records[0]['name']} round_trip_ns\n" in text_of(done) and stream not in done.stdout
    assert f"{stream}: has no distribution of single events" in done.stderr
    for record in document["benchmarks"]:
        if record["name"] == stream and record["ipcmark"]["distribution"]:
            record["ipcmark"]["distribution"]["messages_per_sample"] = 1
    (tmp_path / "ones.json").write_text(json.dumps(document))
    rows = csv.DictReader(io.StringIO(text_of(export(tmp_path / "ones.json", "--format", "csv")), newline=""))
    assert {row["workload"] for row in rows if row["figure"] == "p50_ns"} == {"ping_pong"}


def test_one_case_is_chosen_by_its_id(export, base, records):
    assert records[0]["name"] in text_of(export(base, "--format", "hgrm", "--case", "ping_pong"))
    assert export(base, "--format", "hgrm", "--case", "mailbox").returncode == 2


def test_misuse_is_one_line_and_status_2(export, base, tmp_path):
    for words in ((base,), (base, "--format", "xml"), ("--format", "csv"), (tmp_path / "no.json", "--format", "csv"), (base, "--format", "csv", "--case", "(")):
        done = export(*words)
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1
