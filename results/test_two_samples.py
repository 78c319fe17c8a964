"""scipy and numpy as oracles for results/two_samples.h."""

import itertools
import json

import numpy
import pytest
import scipy.stats

EXACT_UP_TO = 40  # values of both samples together


@pytest.fixture(scope="module")
def pairs(samples):
    loaded = json.loads((samples / "two_samples.json").read_text())
    assert len(loaded) >= 60
    return loaded


def has_ties(pair) -> bool:
    values = pair["base"] + pair["new"]
    return len(set(values)) < len(values)


def test_p_values_without_ties_are_scipys_exact_ones(pairs):
    seen = 0
    for pair in pairs:
        if has_ties(pair) or len(pair["base"] + pair["new"]) > EXACT_UP_TO:
            continue
        seen += 1
        expected = scipy.stats.mannwhitneyu(pair["base"], pair["new"], method="exact").pvalue
        assert pair["p"] == pytest.approx(expected, rel=1e-9)
    assert seen >= 20


def test_p_values_with_ties_are_those_of_all_permutations(pairs):
    """Every way to deal the ranks: up to 12,870 of them."""
    seen = 0
    for pair in pairs:
        m, n = len(pair["base"]), len(pair["new"])
        if not has_ties(pair) or m + n > 16:
            continue
        seen += 1
        ranks = scipy.stats.rankdata(pair["base"] + pair["new"])
        sums = numpy.array([sum(chosen) for chosen in itertools.combinations(ranks, m)])
        found = ranks[:m].sum()
        tail = min(numpy.mean(sums <= found + 1e-9), numpy.mean(sums >= found - 1e-9))
        assert pair["p"] == pytest.approx(min(1, 2 * tail), rel=1e-9)
    assert seen >= 10


def test_p_values_of_many_launches_are_scipys_normal_ones(pairs):
    seen = 0
    for pair in pairs:
        if len(pair["base"] + pair["new"]) <= EXACT_UP_TO:
            continue
        seen += 1
        expected = scipy.stats.mannwhitneyu(pair["base"], pair["new"], method="asymptotic").pvalue
        assert pair["p"] == pytest.approx(expected, rel=1e-9)
    assert seen >= 15


def test_the_shift_is_the_median_of_all_differences(pairs):
    for pair in pairs:
        differences = numpy.subtract.outer(pair["new"], pair["base"])
        assert pair["shift"]["value"] == pytest.approx(numpy.median(differences), rel=1e-12, abs=1e-12)


def test_the_interval_holds_the_shifts_that_the_test_does_not_refuse(pairs):
    """Without ties: moved a little inside the interval's end, p is over .05; a little outside, at most that."""
    seen = 0
    for pair in pairs:
        if has_ties(pair) or pair["shift"]["interval"] is None:
            continue
        base, new = numpy.array(pair["base"]), numpy.array(pair["new"])
        exact = len(base) + len(new) <= EXACT_UP_TO
        gaps = numpy.diff(numpy.unique(numpy.subtract.outer(new, base)))
        little = gaps[gaps > 1e-9].min() / 4
        low, high = pair["shift"]["interval"]
        for shift, inside in ((low + little, 1), (low - little, 0), (high - little, 1), (high + little, 0)):
            p = scipy.stats.mannwhitneyu(base + shift, new, method="exact" if exact else "asymptotic").pvalue
            assert (p > 0.05) == bool(inside), (len(base), len(new), shift, p)
        seen += 1
    assert seen >= 20


def test_too_small_samples_have_no_interval(pairs):
    for pair in pairs:
        m, n = len(pair["base"]), len(pair["new"])
        smallest_p = 2 / scipy.special.comb(m + n, m)
        assert (pair["shift"]["interval"] is None) == (smallest_p > 0.05), (m, n)


def test_the_ratio_of_medians_has_the_bootstraps_interval(pairs):
    """Resampled here value by value: 2.5 % lie beyond each end, give or take what is drawn."""
    random = numpy.random.default_rng(1)
    for pair in pairs:
        base, new = numpy.array(pair["base"]), numpy.array(pair["new"])
        assert pair["ratio"]["value"] == pytest.approx(numpy.median(new) / numpy.median(base), rel=1e-12)
        if min(len(base), len(new)) < 6:
            assert pair["ratio"]["interval"] is None
            continue
        drawn = [numpy.median(random.choice(sample, (20_000, len(sample))), axis=1) for sample in (base, new)]
        ratios = drawn[1] / drawn[0]
        low, high = pair["ratio"]["interval"]
        little = 1e-9
        for below, up_to in ((ratios < low - little, ratios <= low + little), (ratios > high + little, ratios >= high - little)):
            assert numpy.mean(below) < 0.033
            assert numpy.mean(up_to) > 0.017
