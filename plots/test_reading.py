"""Reading result files, against numpy and scipy."""

import json
from math import comb
from pathlib import Path

import jsonschema
import numpy
import pytest
from scipy.stats import binom

import sample
from results import (
    BadResult,
    Estimate,
    Histogram,
    bucket_bounds,
    bucket_index,
    interval_rank,
    percentile_over,
    read,
    round_trip_over,
)


def spread_values(seed, count=3000):
    rng = numpy.random.default_rng(seed)
    return numpy.exp(rng.uniform(0, numpy.log(2.0**40), count)).astype(numpy.uint64)


# --- histogram ---


def test_every_bucket_begins_where_the_one_before_ends():
    for index in range(1, 57 * 128 + 128):
        low, high = bucket_bounds(index)
        assert low == bucket_bounds(index - 1)[1] + 1
        assert bucket_index(low) == bucket_index(high) == index
        assert high - low <= low / 128
    assert bucket_bounds(57 * 128 + 127)[1] == 2**64 - 1


def test_encoding_agrees_with_an_independent_one():
    for values in ([], [0], [255, 256, 257], spread_values(1)):
        text = sample.encode_histogram(values)
        assert Histogram.of(values).encode() == text
        assert Histogram.decode(text) == Histogram.of(values)


def test_merging_equals_recording_both():
    one, two = spread_values(2), spread_values(3)
    merged = Histogram.of(one).merged(Histogram.of(two))
    assert merged == Histogram.of(numpy.concatenate([one, two]))
    assert Histogram().merged(merged) == merged.merged(Histogram()) == merged


@pytest.mark.parametrize("fraction", [0.5, 0.9, 0.99, 0.999])
def test_a_percentile_is_within_a_bucket_of_the_exact_one(fraction):
    values = spread_values(4, 200_000)
    exact = float(numpy.percentile(values, 100 * fraction, method="inverted_cdf"))
    assert Histogram.of(values).percentile(fraction) == pytest.approx(exact, rel=1 / 128)


@pytest.mark.parametrize("fraction, enough", [(0.5, 200), (0.9, 1000), (0.99, 10_000), (0.999, 100_000)])
def test_a_percentile_needs_100_samples_beyond_it(fraction, enough):
    assert Histogram.of([7] * enough).percentile(fraction) == 7
    assert Histogram.of([7] * (enough - 1)).percentile(fraction) is None


@pytest.mark.parametrize(
    "text", ["", "h2;1;5;5;5;5", "h1;2;5;5;5;5", "h1;1;5;5;5", "h1;1;5;5;5;x", "h1;1;5;5;5;5x", "h1;a;5;5;5;5"]
)
def test_a_broken_histogram_is_refused(text):
    with pytest.raises(BadResult, match="histogram"):
        Histogram.decode(text)


# --- statistics ---


@pytest.mark.parametrize("count", range(1, 101))
def test_the_interval_is_the_narrowest_that_covers_95_percent(count):
    rank = interval_rank(count)
    allowed = [k for k in range(1, count // 2 + 1) if 1 - 2 * binom.cdf(k - 1, count, 0.5) >= 0.95]
    assert rank == max(allowed, default=0)
    assert (rank > 0) == (count >= 6)


def test_six_launches_cover_as_often_as_the_binomial_says():
    assert 1 - 2 * comb(6, 0) / 2**6 == pytest.approx(0.96875)
    values = [5, 3, 9, 1, 7, 11]
    assert Estimate.of(values) == Estimate(6, 1, 11, 1, 11, 6)
    assert not Estimate.of(values[:5]).has_interval
    assert Estimate.of([]) is None


def test_the_median_is_numpys():
    rng = numpy.random.default_rng(5)
    for count in (1, 2, 3, 6, 7, 24):
        values = rng.lognormal(size=count)
        assert Estimate.of(values).value == pytest.approx(numpy.median(values))


# --- files ---


SCHEMA = Path(__file__).resolve().parent.parent / "results" / "schema.json"


@pytest.mark.parametrize("shape", sample.SHAPES)
def test_the_invented_files_obey_the_schema(shape):
    schema = json.loads(SCHEMA.read_text())
    validator = jsonschema.validators.validator_for(schema)(schema)
    assert [error.message for error in validator.iter_errors(sample.document(shape))] == []


@pytest.fixture(scope="module")
def whole():
    return sample.document("failures")


@pytest.fixture(scope="module")
def whole_path(whole, tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "whole.json"
    path.write_text(json.dumps(whole))
    return path


def test_every_estimate_equals_the_summary_in_the_file(whole, whole_path):
    series = {one.case_id: one for one in read(whole_path).series}
    assert len(series) == len(whole["ipcmark"]["cases"])
    for case in whole["ipcmark"]["cases"]:
        mine = series[case["id"]]
        for name, expected in case["summary"].items():
            if name == "floor":
                assert vars(mine.floor) == expected
                continue
            estimate = mine.round_trip(name) if name.startswith("p") else mine.estimate(name)
            found = (estimate.value, estimate.low, estimate.high, estimate.minimum, estimate.maximum)
            assert found == pytest.approx(tuple(expected[key] for key in ("median", "low", "high", "min", "max")))
        assert (mine.verdict.grade, list(mine.verdict.reasons)) == tuple(case["verdict"].values())


def test_observations_equal_the_summary_in_the_file(tmp_path):
    whole = sample.write(tmp_path / "further.json", "further")
    series = {one.case_id: one for one in read(tmp_path / "further.json").series}
    checked = 0
    for case in whole["ipcmark"]["cases"]:
        for expected in case["summary"].get("observations", ()):
            estimate = series[case["id"]].observations[expected["name"], expected["unit"]]
            found = (estimate.value, estimate.low, estimate.high, estimate.launches)
            assert found == pytest.approx(tuple(expected[key] for key in ("median", "low", "high", "launches")))
            checked += 1
    assert checked > 20


def test_empty_tries_and_work_of_a_role_are_told_for_each_message(tmp_path):
    whole = sample.document("one_case")
    for record in whole["benchmarks"]:
        sender, receiver = record["ipcmark"]["roles"]
        messages = record["ipcmark"]["messages"]
        sender |= {"empty_tries": 0, "work_done": 0}
        receiver |= {"empty_tries": 5 * messages, "work_done": messages // 2}
    (tmp_path / "tries.json").write_text(json.dumps(whole))
    seen = read(tmp_path / "tries.json").series[0].observations
    assert {name: estimate.value for (name, _), estimate in seen.items()} == {
        "sender: empty tries per message": 0,
        "receiver: empty tries per message": 5,
        "receiver: units of work per message": 0.5,
    }
    own = {"name": "send_empty_tries_per_message", "unit": "count", "value": 1}
    whole["benchmarks"][0]["ipcmark"]["observations"] = [own]
    (tmp_path / "own.json").write_text(json.dumps(whole))
    launch = read(tmp_path / "own.json").series[0].launches[0]
    assert [one.name for one in launch.observations] == ["send_empty_tries_per_message"]


def test_a_journal_reads_as_the_file_it_becomes(whole, whole_path, tmp_path):
    path = tmp_path / "whole.json.journal"
    path.write_text(sample.journal(whole))
    document, journal = read(whole_path), read(path)
    assert journal.is_journal and not document.is_journal
    assert [one.launches for one in journal.series] == [one.launches for one in document.series]
    assert journal.failures == document.failures
    assert journal.skipped == document.skipped
    assert journal.machine == document.machine
    assert journal.host == document.host and journal.date == document.date


@pytest.mark.parametrize("cut", [1, 2, 50, 1000])
def test_a_torn_last_line_of_a_journal_is_dropped(tmp_path, cut):
    path = tmp_path / "torn.journal"
    lines = sample.journal(sample.document("one_case")).encode()
    path.write_bytes(lines[:-cut])
    torn = read(path)
    assert torn.dropped_torn_line
    assert torn.launches == 5
    path.write_bytes(lines + "ä".encode()[:1])
    assert read(path).launches == 6


def test_a_header_alone_is_a_journal_without_launches(tmp_path):
    path = tmp_path / "header.journal"
    path.write_text(sample.journal(sample.document("one_case")).split("\n", 1)[0] + "\n")
    assert read(path).launches == 0


def test_in_a_journal_the_worst_launch_judges_the_case(tmp_path):
    whole = sample.document("one_case")
    whole["benchmarks"][2]["ipcmark"]["verdict"] = {"grade": "noisy", "reasons": ["too loud"]}
    path = tmp_path / "noisy.journal"
    path.write_text(sample.journal(whole))
    assert read(path).series[0].verdict.grade == "noisy"
    assert read(path).series[0].verdict.reasons == ("too loud",)
    own = whole["benchmarks"][0]
    whole["ipcmark"]["failures"] = [
        {"id": own["name"], "case": own["ipcmark"]["case"], "round": 7, "reason": "receiver 1: hung"}
    ]
    path.write_text(sample.journal(whole))
    assert read(path).series[0].verdict.grade == "invalid"
    assert "round 7" in read(path).series[0].verdict.reasons[0]


def test_a_percentile_too_deep_for_one_launch_is_pooled_over_all(tmp_path):
    path = tmp_path / "short.json"
    rng = numpy.random.default_rng(6)
    case = sample.case("ping_pong", "pipe")
    whole = sample.document("one_case")
    values = []
    for record in whole["benchmarks"]:
        times = rng.lognormal(9, 0.3, 2000).astype(int)
        values.append(times)
        record["ipcmark"]["distribution"] |= {
            "p50_ns": float(numpy.percentile(times, 50, method="inverted_cdf")),
            "p99_ns": None,
            "histogram": sample.encode_histogram(times),
        }
    path.write_text(json.dumps(whole))
    series = read(path).series[0]
    assert series.case.transport == case["transport"]
    pooled = series.round_trip("p99_ns")
    exact = numpy.percentile(numpy.concatenate(values), 99, method="inverted_cdf")
    assert pooled.pooled and not pooled.has_interval and pooled.launches == 6
    assert pooled.value == pytest.approx(exact, rel=1 / 128)
    assert not series.round_trip("p50_ns").pooled
    assert round_trip_over([series], "p999_ns") is None or not round_trip_over([series], "p999_ns").pooled


def test_what_else_a_launch_timed_is_read_by_its_name(tmp_path):
    path = tmp_path / "paced.json"
    whole = sample.document("all_skipped")
    case = sample.case("paced", "pipe", rate="50%")
    records = [sample.launch(case, i + 1, i, numpy.random.default_rng(i), 20_000) for i in range(6)]
    whole["benchmarks"] = records
    path.write_text(json.dumps(whole))
    (series,) = read(path).series
    assert set(series.launches[0].samples) == {"response_ns", "service_ns", "send_lag_ns"}
    for of, place in (("service_ns", 0), ("send_lag_ns", 1)):
        p99 = [record["ipcmark"]["distributions"][place]["p99_ns"] for record in records]
        assert percentile_over([series], of, "p99_ns").value == pytest.approx(numpy.median(p99))
    assert percentile_over([series], "window_ns", "p99_ns") is None
    few = sample.launch(case, 4, 3, numpy.random.default_rng(3), 5_000)  # pooled, for want of samples in one launch
    records[3]["ipcmark"]["distributions"][1] = few["ipcmark"]["distributions"][1]
    path.write_text(json.dumps(whole))
    assert percentile_over(read(path).series, "send_lag_ns", "p99_ns").pooled
    assert not percentile_over(read(path).series, "service_ns", "p99_ns").pooled


def test_what_a_launch_withholds_below_the_step_of_its_clock_is_not_pooled_either(tmp_path):
    path = tmp_path / "coarse.json"
    whole = sample.document("one_case")
    for record in whole["benchmarks"]:
        record["ipcmark"]["distribution"] |= {"p50_ns": None, "histogram": sample.encode_histogram(numpy.zeros(2000, int))}
    path.write_text(json.dumps(whole))
    assert read(path).series[0].round_trip("p50_ns") is None


def test_capacity_is_the_least_and_the_most_over_launches(tmp_path):
    path = tmp_path / "fits.json"
    whole = sample.document("one_case")
    for number, record in enumerate(whole["benchmarks"]):
        record["ipcmark"]["capacity"]["fits"] = {"min": 900 + number, "max": 1000 + number, "lower_bound": number == 3}
    path.write_text(json.dumps(whole))
    fits = read(path).series[0].capacity.fits
    assert (fits.minimum, fits.maximum, fits.lower_bound) == (900, 1005, True)


# --- bad files: one line that names the file and the place ---


def drop(*path):
    def change(document):
        for key in path[:-1]:
            document = document[key]
        del document[path[-1]]

    return change


def put(value, *path):
    def change(document):
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = value

    return change


@pytest.mark.parametrize(
    "change, says",
    [
        (drop("ipcmark"), "no result of ipcmark"),
        (drop("benchmarks"), "file.benchmarks is missing"),
        (drop("ipcmark", "machine"), "ipcmark.machine is missing"),
        (put(2, "ipcmark", "schema_version"), "schema_version is 2; this reader knows 1"),
        (put("6", "benchmarks", 1, "real_time"), "benchmarks[1].real_time is not a number"),
        (put(0, "benchmarks", 1, "real_time"), "benchmarks[1].real_time is 0, not positive"),
        (put(True, "benchmarks", 0, "cpu_time"), "benchmarks[0].cpu_time is not a number"),
        (put(64.5, "benchmarks", 0, "ipcmark", "case", "message_bytes"), "message_bytes is not a whole number"),
        (drop("benchmarks", 0, "ipcmark", "verdict"), "benchmarks[0].ipcmark.verdict is missing"),
        (put("fine", "benchmarks", 0, "ipcmark", "verdict", "grade"), "grade is 'fine', not one of ok, noisy, invalid"),
        (put([], "benchmarks", 0, "ipcmark"), "benchmarks[0].ipcmark is not an object"),
        (put([7], "benchmarks"), "benchmarks[0] is not an object"),
        (put([{"name": "x"}], "benchmarks", 0, "ipcmark", "observations"), "observations[0].unit is missing"),
        (put({"min": 1}, "benchmarks", 0, "ipcmark", "capacity", "fits"), "capacity.fits.max is missing"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, change, says):
    path = tmp_path / "bad.json"
    whole = sample.document("one_case")
    change(whole)
    path.write_text(json.dumps(whole))
    with pytest.raises(BadResult) as error:
        read(path)
    assert says in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "content, says",
    [
        (b"", "empty file"),
        (b" \n", "empty file"),
        (b"hello", "neither a result file nor a journal"),
        (b"\xff\xfe\x00", "neither a result file nor a journal"),
        (b'{"type":"head', "neither a result file nor a journal"),
        (b'{"ipcmark": NaN}', "NaN is not valid JSON"),
        (b"[1, 2]", "no result of ipcmark"),
    ],
)
def test_what_is_no_result_is_refused(tmp_path, content, says):
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    with pytest.raises(BadResult, match=says):
        read(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BadResult, match="nowhere.json: No such file"):
        read(tmp_path / "nowhere.json")


def test_a_broken_line_inside_a_journal_is_named(tmp_path):
    path = tmp_path / "bad.journal"
    lines = sample.journal(sample.document("one_case")).split("\n")
    path.write_text("\n".join([*lines[:3], lines[3][:40], *lines[4:]]))
    with pytest.raises(BadResult, match="line 4: "):
        read(path)
    path.write_text("\n".join([*lines[:3], '{"type":"lunch"}', *lines[4:]]))
    with pytest.raises(BadResult, match="line 4.type is 'lunch'"):
        read(path)
