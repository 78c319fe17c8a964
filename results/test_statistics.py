"""numpy and scipy as oracles for results/statistics.h, and the summary in a file against its own launches."""

import json

import numpy
import pytest
import scipy.stats


def interval(values):
    """The narrowest symmetric pair of order statistics with P(it covers the median) >= 95 %; None if there is none."""
    n = len(values)
    best = None
    for k in range(1, n // 2 + 1):
        if 1 - 2 * scipy.stats.binom.cdf(k - 1, n, 0.5) >= 0.95:
            best = k
    ordered = sorted(values)
    return (ordered[best - 1], ordered[n - best]) if best else (None, None)


def test_medians_intervals_and_spreads_are_those_of_scipy(samples):
    series = json.loads((samples / "statistics.json").read_text())
    assert len(series) >= 16
    for entry in series:
        values = entry["values"]
        lower, middle, upper = numpy.percentile(values, [25, 50, 75])
        assert entry["median"] == pytest.approx(middle, rel=1e-12)
        assert (entry["low"], entry["high"]) == interval(values), f"{len(values)} values"
        assert entry["quartile_spread"] == pytest.approx((upper - lower) / middle, rel=1e-12)


def test_the_interval_covers_the_median_as_often_as_it_says():
    """10,000 draws of 11 launches: the promise is at least 95 %, exactly 98.8 %. Seeded, so it cannot flicker."""
    draws = numpy.sort(numpy.random.default_rng(1).lognormal(size=(10_000, 11)), axis=1)
    low, high = interval(range(11))
    covered = numpy.mean((draws[:, low] <= 1) & (1 <= draws[:, high]))
    exact = 1 - 2 * scipy.stats.binom.cdf(low, 11, 0.5)
    assert exact >= 0.95
    assert covered == pytest.approx(exact, abs=0.01)


def test_the_summary_of_a_case_is_made_of_its_launches(samples):
    document = json.loads((samples / "base.json").read_text())
    figures = {
        "ns_per_message": "real_time",
        "messages_per_second": "items_per_second",
        "bytes_per_second": "bytes_per_second",
        "cpu_ns_per_message": "cpu_time",
    }
    for case in document["ipcmark"]["cases"]:
        launches = [record for record in document["benchmarks"] if record["name"] == case["id"]]
        assert case["launches"] == len(launches) == 10
        for statistic, key in figures.items():
            values = [record[key] for record in launches]
            summary = case["summary"][statistic]
            assert summary["median"] == pytest.approx(numpy.median(values), rel=1e-12)
            assert (summary["low"], summary["high"]) == interval(values)
            assert (summary["min"], summary["max"]) == (min(values), max(values))
            assert summary["launches"] == len(values)
