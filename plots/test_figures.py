"""What the figures show, and how they are drawn, against numpy."""

import copy
import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from itertools import pairwise

import numpy
import pytest

import drawing
import figures
import report
import sample
import units
from results import Histogram, bucket_bounds, read

SVG = "{http://www.w3.org/2000/svg}"


def result(tmp_path, *cases, grades=None, name="some.json", rounds=6, fits=None):
    """A file with just these cases."""
    rng = numpy.random.default_rng(7)
    whole = sample.document("all_skipped")
    whole["ipcmark"]["skipped"] = []
    for round_ in range(1, rounds + 1):
        for i, case in enumerate(cases):
            record = sample.launch(case, round_, len(whole["benchmarks"]), rng, 11_000)
            if fits and i in fits:
                record["ipcmark"]["capacity"]["fits"] = fits[i]
            whole["benchmarks"].append(record)
    whole["ipcmark"]["cases"] = [
        {
            "id": sample.case_id(case),
            "case": case,
            "verdict": {"grade": (grades or {}).get(i, "ok"), "reasons": ["a reason"]},
        }
        for i, case in enumerate(cases)
    ]
    path = tmp_path / name
    path.write_text(json.dumps(whole))
    return read(path), whole


def values_of(whole, case, take):
    return [take(record) for record in whole["benchmarks"] if record["name"] == sample.case_id(case)]


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    path = tmp_path_factory.mktemp("quick") / "quick.json"
    whole = sample.write(path)
    return whole, figures.figures_of([read(path)])


@pytest.fixture(scope="module")
def further(tmp_path_factory):
    path = tmp_path_factory.mktemp("further") / "further.json"
    whole = sample.write(path, "further")
    return whole, figures.figures_of([read(path)])


@pytest.fixture(scope="module")
def placed(tmp_path_factory):
    path = tmp_path_factory.mktemp("placed") / "placed.json"
    whole = sample.write(path, "placement")
    return whole, figures.figures_of([read(path)])


# --- what is shown ---


def test_the_quick_suite_gives_every_kind_of_figure_under_stable_names(quick):
    _, drawn = quick
    assert [figure.name for figure in drawn] == [
        "rtt-overview",
        "throughput-overview",
        "rtt-spectrum-same_pu",
        "rtt-spectrum-same_l3",
        "rtt-by-size-same_l3",
        "throughput-by-size-same_l3",
        "capacity-64B-same_l3",
        "waits-posix_shm-64B-same_l3",
        "waits-sysv_shm-64B-same_l3",
    ]


def test_points_are_the_medians_and_intervals_of_the_file(quick):
    whole, drawn = quick
    expected = {case["id"]: case["summary"] for case in whole["ipcmark"]["cases"]}
    statistics = {
        ("rtt-by-size-same_l3", 0): ("ping_pong", "p50_ns"),
        ("rtt-by-size-same_l3", 1): ("ping_pong", "p99_ns"),
        ("throughput-by-size-same_l3", 0): ("stream", "messages_per_second"),
        ("throughput-by-size-same_l3", 1): ("stream", "bytes_per_second"),
    }
    checked = 0
    for figure in drawn:
        for panel in figure.panels:
            if (figure.name, panel.row) not in statistics:
                continue
            workload, statistic = statistics[figure.name, panel.row]
            for line in panel.lines:
                words = line.label.replace(" (harness floor)", "").split()[1:]
                wait = next((w for w in words if w in ("futex", "adaptive")), "spin" if panel.column else "block")
                access = "loan" if "loan" in words else "copy"
                for point in line.points:
                    case = sample.case(workload, line.transport, int(point.x), wait=wait, access=access)
                    summary = expected[sample.case_id(case)][statistic]
                    assert point.y.value == pytest.approx(summary["median"])
                    assert (point.y.low, point.y.high) == pytest.approx((summary["low"], summary["high"]))
                    checked += 1
    assert checked > 100


def test_a_line_has_one_case_at_each_size(quick):
    for figure in quick[1]:
        for panel in figure.panels:
            labels = [line.label for line in panel.lines]
            assert len(set(labels)) == len(labels)
            for line in panel.lines:
                assert all(a.x < b.x for a, b in pairwise(line.points))


def test_placements_waits_and_conditions_do_not_share_a_panel(tmp_path):
    cases = [
        sample.case("stream", "pipe", size, wait=wait, placement=placement, senders=senders)
        for size in (64, 4096)
        for wait in ("block", "spin", "block+spin")
        for placement in ("same_pu", "same_l3")
        for senders in (1, 2)
    ]
    file, _ = result(tmp_path, *cases, rounds=1)
    drawn = [figure for figure in figures.figures_of([file]) if figure.name.startswith("throughput-by-size")]
    assert {figure.name for figure in drawn} == {
        "throughput-by-size-same_pu",
        "throughput-by-size-same_pu-2-senders-1-receiver",
        "throughput-by-size-same_l3",
        "throughput-by-size-same_l3-2-senders-1-receiver",
    }
    for figure in drawn:
        assert [panel.column for panel in figure.panels if panel.row == 0] == [0, 1, 2]
        assert all(len(panel.lines) == 1 and len(panel.lines[0].points) == 2 for panel in figure.panels)


def test_one_size_makes_no_figure_over_size(tmp_path):
    file, _ = result(tmp_path, sample.case("ping_pong", "pipe"), sample.case("stream", "pipe"))
    assert [figure.name for figure in figures.figures_of([file])] == [
        "rtt-overview",
        "throughput-overview",
        "rtt-spectrum-same_l3",
    ]


def test_nothing_measured_makes_no_figure(tmp_path):
    assert figures.figures_of([result(tmp_path)[0]]) == []


def test_invalid_results_are_listed_and_not_drawn_and_noisy_ones_marked(tmp_path):
    cases = [sample.case("ping_pong", "pipe", size) for size in (64, 1024, 4096)]
    file, _ = result(tmp_path, *cases, grades={0: "noisy", 1: "invalid"})
    overview, spectrum, by_size = figures.figures_of([file])
    for panel in by_size.panels:
        assert [(point.x, point.noisy) for point in panel.lines[0].points] == [(64, True), (4096, False)]
    assert by_size.notes == ("Not drawn, because invalid: pipe (block), 1 KiB, ping_pong.",)
    assert overview.rows[0].dots[0].noisy
    assert all(point.noisy for point in spectrum.panels[0].lines[0].points)


def test_only_invalid_results_leave_no_empty_figure(tmp_path):
    cases = [sample.case("ping_pong", "pipe", size) for size in (64, 1024)]
    file, _ = result(tmp_path, *cases, grades={0: "invalid", 1: "invalid"})
    assert figures.figures_of([file]) == []


def test_the_capacity_axis_is_what_fits_and_equal_fits_are_one_point(tmp_path):
    cases = [sample.case("stream", "pipe", capacity=capacity) for capacity in ("1", "4", "64", "1024", "default")]
    same = {"min": 64, "max": 64, "lower_bound": False}
    large = {"min": 1000, "max": 1024, "lower_bound": True}
    file, whole = result(tmp_path, *cases, fits={0: same, 1: same, 2: same, 3: large, 4: large})
    figure = next(figure for figure in figures.figures_of([file]) if figure.name == "capacity-64B-same_l3")
    (panel,) = figure.panels
    small, big = panel.lines[0].points
    rates = [value for case in cases[:3] for value in values_of(whole, case, lambda r: r["items_per_second"])]
    assert small.y.value == pytest.approx(numpy.median(rates))
    assert small.y.launches == 18
    assert (small.x_low, small.x_high, small.ringed, small.x_open) == (64, 64, False, False)
    assert (big.x_low, big.x_high, big.ringed, big.x_open) == (1000, 1024, True, True)


def test_rendezvous_and_an_unknown_fit_do_not_break_the_axis(tmp_path):
    cases = [sample.case("stream", "posix_shm", wait="futex", capacity=capacity) for capacity in ("0", "1", "4")]
    none = {"min": 0, "max": 0, "lower_bound": False}
    one = {"min": 1, "max": 1, "lower_bound": False}
    file, _ = result(tmp_path, *cases, fits={0: none, 1: one, 2: None})
    figure = capacity_figure(file)
    assert [point.x for point in figure.panels[0].lines[0].points] == [0, 1]
    assert "not known what fits: posix_shm (futex), asked 4" in figure.notes[0]


def capacity_figure(file):
    (figure,) = (figure for figure in figures.figures_of([file]) if figure.name.startswith("capacity"))
    return figure


def test_no_capacity_and_no_bound_stand_apart_from_the_axis_of_what_fits(tmp_path):
    sweep = [sample.case("stream", "pipe", capacity=capacity) for capacity in ("4", "default", "64", "unbounded")]
    cases = [sample.case("stream", "pipe", capacity="0", rendezvous="acknowledged"), *sweep]
    probed = {"min": 65536, "max": 65536, "lower_bound": True}
    known = {"min": 64, "max": 64, "lower_bound": False}
    nothing = {"min": 0, "max": 0, "lower_bound": False}
    file, whole = result(tmp_path, *cases, fits={0: nothing, 1: known, 2: probed, 3: known, 4: probed})
    figure = capacity_figure(file)
    points = figure.panels[0].lines[0].points
    assert [point.x for point in points] == [figures.RENDEZVOUS, 64, 65536, figures.UNBOUNDED]
    assert [point.x_open for point in points] == [False, False, True, False]
    assert [point.ringed for point in points] == [False, False, True, False]
    assert [point.y.launches for point in points] == [6, 12, 6, 6]
    for point, case in ((points[0], cases[0]), (points[-1], cases[-1])):
        assert point.y.value == pytest.approx(numpy.median(values_of(whole, case, lambda r: r["items_per_second"])))
    (axis,) = (drawing._limits(figure.panels)[panel][0] for panel in figure.panels)
    places = [axis.at(point.x) for point in points]
    assert places == sorted(places)
    assert places[0] < axis.inner_low < 64 and 65536 < axis.inner_high < places[-1] < axis.high
    for layout in (drawing.WIDE, drawing.NARROW):
        text = drawing.inline_svg(figure, layout, "f")
        assert all(f">{word}<" in text for word in ("0", "rendezvous", "∞", "unbounded"))


def test_only_what_was_asked_stands_apart(tmp_path):
    cases = [sample.case("stream", "posix_shm", wait="spin", capacity=capacity) for capacity in ("1", "4", "64")]
    text = drawing.inline_svg(capacity_figure(result(tmp_path, *cases)[0]), drawing.WIDE, "f")
    assert ">rendezvous<" not in text and ">unbounded<" not in text


def test_a_native_rendezvous_and_an_acknowledged_one_are_two_points(tmp_path):
    cases = [sample.case("stream", "pipe", capacity="0", rendezvous=how) for how in ("native", "acknowledged")]
    file, _ = result(tmp_path, *cases, sample.case("stream", "pipe", capacity="4"))
    points = capacity_figure(file).panels[0].lines[0].points
    assert [(point.x, point.y.launches) for point in points if point.x == 0] == [(0, 6), (0, 6)]


# --- waits ---


SHARED_MEMORY_WAITS = ("futex", "semaphore", "condvar", "adaptive", "yield", "spin")


def waits_of(files):
    return [figure for figure in figures.figures_of(files) if figure.name.startswith("waits")]


def test_waits_stand_side_by_side_with_the_figures_of_the_file(tmp_path):
    waits = SHARED_MEMORY_WAITS
    cases = [sample.case(w, "posix_shm", wait=wait) for wait in waits for w in ("ping_pong", "stream")]
    file, whole = result(tmp_path, *cases, grades={0: "noisy"})
    (figure,) = waits_of([file])
    assert figure.columns == ("RTT p50", "Messages per second", "CPU per message")
    assert figure.ys == ("time", "rate", "time")
    assert [row.label for row in figure.rows] == list(waits)
    assert [row.group for row in figure.rows] == ["both asleep"] * 3 + ["both spinning"] * 3
    takes = (
        ("ping_pong", lambda r: r["ipcmark"]["distribution"]["p50_ns"]),
        ("stream", lambda r: r["items_per_second"]),
        ("stream", lambda r: r["cpu_time"]),
    )
    for row in figure.rows:
        for dot, (workload, take) in zip(row.dots, takes):
            values = values_of(whole, sample.case(workload, "posix_shm", wait=row.label), take)
            assert dot.value.value == pytest.approx(numpy.median(values))
            assert (dot.value.low, dot.value.high) == pytest.approx((min(values), max(values)))
    assert [row.dots[0].noisy for row in figure.rows] == [True] + [False] * 5


@pytest.mark.filterwarnings("error")
def test_a_column_of_dots_that_nothing_was_measured_for_is_not_drawn_by_itself(tmp_path):
    cases = [sample.case(w, "posix_shm", wait=wait) for wait in SHARED_MEMORY_WAITS for w in ("ping_pong", "stream")]
    (figure,) = waits_of([result(tmp_path, *cases)[0]])
    rows = [replace(row, dots=(None, *row.dots[1:])) for row in figure.rows]
    figure = replace(figure, ys=(), y="time", rows=rows, alt="")
    narrow = drawing.inline_svg(figure, drawing.NARROW, "narrow")
    assert "RTT p50" not in narrow and "CPU per message" in narrow
    assert "RTT p50" in drawing.inline_svg(figure, drawing.WIDE, "wide")


def test_sides_that_wait_differently_are_rows_of_their_own(tmp_path):
    waits = ("spin+block", "spin", "block+spin", "block")
    file, _ = result(tmp_path, *(sample.case("stream", "pipe", wait=wait) for wait in waits), rounds=1)
    (figure,) = waits_of([file])
    assert [(row.label, row.group) for row in figure.rows] == [
        ("block", "both asleep"),
        ("spin", "both spinning"),
        ("block+spin", "one of each"),
        ("spin+block", "one of each"),
    ]


@pytest.mark.parametrize("waits, drawn", [(("block", "spin"), 0), (("block", "poll", "spin"), 1)])
def test_three_waits_make_a_figure(tmp_path, waits, drawn):
    file, _ = result(tmp_path, *(sample.case("stream", "pipe", wait=wait) for wait in waits), rounds=1)
    assert len(waits_of([file])) == drawn


def test_waits_of_another_size_or_placement_or_condition_do_not_count_together(tmp_path):
    apart = [
        sample.case("stream", "pipe", wait="block"),
        sample.case("stream", "pipe", wait="poll"),
        sample.case("stream", "pipe", 4096, wait="epoll"),
        sample.case("stream", "pipe", wait="spin", placement="same_pu"),
        sample.case("stream", "pipe", wait="yield", work=100),
        sample.case("stream", "fifo", wait="spin"),
        sample.case("pairs", "pipe", wait="spin"),
    ]
    file, _ = result(tmp_path, *apart, rounds=1)
    assert waits_of([file]) == []
    file, _ = result(tmp_path, *apart, sample.case("stream", "pipe", wait="epoll"), name="more.json", rounds=1)
    (figure,) = waits_of([file])
    assert [row.label for row in figure.rows] == ["block", "poll", "epoll"]


def test_an_invalid_wait_is_listed_and_one_without_a_round_trip_says_so(tmp_path):
    waits = ("block", "poll", "epoll", "spin")
    cases = [sample.case(w, "pipe", wait=wait) for w in ("ping_pong", "stream") for wait in waits]
    file, whole = result(tmp_path, *cases, grades={4: "invalid"})
    for record in whole["benchmarks"]:
        if record["name"] == sample.case_id(cases[3]):
            record["ipcmark"]["distribution"] |= {"p50_ns": None, "histogram": sample.encode_histogram([10**6] * 9)}
    (tmp_path / "few.json").write_text(json.dumps(whole))
    (figure,) = waits_of([read(tmp_path / "few.json")])
    assert figure.notes == (
        "Not drawn, because invalid: pipe (block), 64 B, stream.",
        "RTT p50 withheld, for want of round trips: spin.",
    )
    assert [dot is None for dot in figure.rows[0].dots] == [False, True, True]
    assert [dot is None for dot in figure.rows[3].dots] == [True, False, False]


def test_waits_of_a_ping_pong_alone_tell_the_cpu_of_a_round_trip(tmp_path):
    file, _ = result(tmp_path, *(sample.case("ping_pong", "pipe", wait=wait) for wait in ("block", "poll", "spin")))
    (figure,) = waits_of([file])
    assert figure.columns == ("RTT p50", "CPU per round trip")


def test_each_metric_of_waits_has_an_axis_of_its_own(tmp_path):
    waits = sample.DESCRIPTOR_WAITS
    file, _ = result(tmp_path, *(sample.case(w, "pipe", wait=wait) for w in ("ping_pong", "stream") for wait in waits))
    (figure,) = waits_of([file])
    for layout in (drawing.WIDE, drawing.NARROW):
        picture = drawing.draw(figure, layout, [])
        limits = [axes.get_xlim() for axes in picture.axes if axes.axison]
        assert len(set(limits)) == len(limits) == 3
        for column, (low, high) in enumerate(limits):
            values = [row.dots[column].value.value for row in figure.rows]
            assert low < min(values) and max(values) < high and high / low < 100 * max(values) / min(values)
        drawing.pyplot.close(picture)


# --- cases that differ in what only some of them have ---


FURTHER = (
    {"overflow": "drop_new"},
    {"overflow": "drop_old"},
    {"work": 100},
    {"work": 10_000},
    {"capacity": "0", "rendezvous": "native"},
    {"capacity": "0", "rendezvous": "acknowledged"},
)


# --- load ---


def load_case(transport, load, **other):
    return sample.case("paced", transport, rate=f"{load}%", arrivals="poisson", **other)


def percentiles_of(whole, case, samples, key):
    def take(record):
        own = record["ipcmark"]
        return next(one[key] for one in [own["distribution"], *own.get("distributions", [])] if one["of"] == samples)

    return values_of(whole, case, take)


def test_a_load_curve_has_response_and_service_times_over_the_share_of_saturation(tmp_path):
    cases = [load_case("pipe", load, p99_bound="100us") for load in (50, 5, 80, 120)] + [load_case("tcp", 50, p99_bound="100us")]
    file, whole = result(tmp_path, *cases, grades={2: "noisy", 3: "invalid"})
    figure, _ = figures.figures_of([file])
    assert figure.name == "load-64B-same_l3-arrivals-poisson-100us"
    titles = [(panel.title, panel.row, panel.column) for panel in figure.panels]
    assert titles == [("Response p50", 0, 0), ("Service p50", 0, 1), ("Response p99", 1, 0), ("Service p99", 1, 1)]
    series = (("response_ns", "p50_ns"), ("service_ns", "p50_ns"), ("response_ns", "p99_ns"), ("service_ns", "p99_ns"))
    for panel, (samples, key) in zip(figure.panels, series):
        (line,) = panel.lines  # one load of tcp is no curve
        assert [point.x for point in line.points] == pytest.approx([5, 50, 80])
        for point, case in zip(line.points, (cases[1], cases[0], cases[2])):
            assert point.y.value == pytest.approx(numpy.median(percentiles_of(whole, case, samples, key)))
        assert [point.noisy for point in line.points] == [False, False, True]
        assert panel.bound == (100_000 if panel.title == "Response p99" else None)
    assert figure.notes[-1] == "Not drawn, because invalid: pipe block at 120 %."
    assert drawing._limits(figure.panels)[figure.panels[0]][0].share(0) == 0


@pytest.mark.parametrize("bound, knee", [("1us", None), ("50us", 50), ("1s", 80)])
def test_the_knee_is_the_highest_load_whose_response_stays_under_the_bound(tmp_path, bound, knee):
    cases = [load_case("pipe", load, p99_bound=bound) for load in (5, 50, 80, 120)]
    file, _ = result(tmp_path, *cases, grades={3: "invalid"})
    figure, _ = figures.figures_of([file])
    for panel in figure.panels:
        assert [round(point.x) for point in panel.lines[0].points if point.ringed] == ([knee] if knee else [])
    words = f"pipe block {knee} %, " if knee else "pipe block at none of these loads"
    assert figure.notes[0].startswith(f"Knee, p99 under {units.time({'1us': 1e3, '50us': 5e4, '1s': 1e9}[bound])}: {words}")


def test_a_knee_is_not_known_where_every_percentile_is_withheld(tmp_path):
    cases = [load_case("pipe", load, p99_bound="1us") for load in (5, 50)]
    cases += [load_case("tcp", load, p99_bound="1us") for load in (5, 50)]
    _, whole = result(tmp_path, *cases)
    few = Histogram.of([50_000] * 300)
    for record in whole["benchmarks"]:
        if record["name"] in map(sample.case_id, cases[:2]):
            for one in (record["ipcmark"]["distribution"], *record["ipcmark"].get("distributions", [])):
                one |= {"count": 300, "p90_ns": None, "p99_ns": None, "p999_ns": None, "histogram": few.encode()}
    (tmp_path / "few.json").write_text(json.dumps(whole))
    figure = figures.figures_of([read(tmp_path / "few.json")])[0]
    assert "pipe block not known, for want of samples; tcp block at none of these loads" in figure.notes[0]


def test_of_a_load_curve_without_a_valid_case_the_notes_are_left(tmp_path):
    cases = [load_case("pipe", load, p99_bound="1ms") for load in (110, 120)]
    file, _ = result(tmp_path, *cases, grades={0: "invalid", 1: "invalid"})
    (figure,) = figures.figures_of([file])
    assert figure.notes == ("Not drawn, because invalid: pipe block at 110 %, 120 %.",)
    report.write([file], tmp_path / "out")
    assert figure.notes[0] in (tmp_path / "out" / "index.html").read_text()
    assert not list((tmp_path / "out" / "figures").iterdir())


def test_spectra_under_load_pool_cases_that_differ_in_the_bound_alone(tmp_path):
    cases = [load_case("pipe", 50, p99_bound=bound) for bound in ("1ms", "2ms")]
    cases += [load_case("tcp", 50, p99_bound="1ms")]
    (figure,) = (one for one in figures.figures_of([result(tmp_path, *cases)[0]]) if one.name.startswith("load-spectrum"))
    pipe, tcp = figure.panels[0].lines
    assert pipe.points[-1].x > tcp.points[-1].x, "twice the samples reach further"


def test_arrivals_and_bounds_do_not_share_a_load_curve(tmp_path):
    cases = [load_case("pipe", load) | other for load in (5, 50) for other in ({}, {"arrivals": "burst", "burst": 4}, {"p99_bound": "1ms"})]
    drawn = figures.figures_of([result(tmp_path, *cases)[0]])
    assert len([figure for figure in drawn if not figure.name.startswith("load-spectrum")]) == 3


# --- percentile spectra ---


def test_a_spectrum_pools_its_launches_as_far_as_100_samples_lie_beyond(tmp_path):
    cases = [sample.case("ping_pong", "pipe", size) for size in (64, 4096)] + [sample.case("ping_pong", "tcp", wait="spin")]
    file, whole = result(tmp_path, *cases)
    (figure,) = (one for one in figures.figures_of([file]) if one.name == "rtt-spectrum-same_l3")
    assert [(panel.title, panel.column) for panel in figure.panels] == [("RTT · waits asleep", 0), ("RTT · waits spinning", 1)]
    (line,) = figure.panels[0].lines
    held = values_of(whole, cases[0], lambda record: Histogram.decode(record["ipcmark"]["distribution"]["histogram"]))
    pooled = numpy.sort([x for one in held for i, n in one.counts.items() for x in [sum(bucket_bounds(i)) / 2] * n])
    assert len(pooled) == 66_000
    assert [point.x for point in line.points] == [x for x in figures.NINES if 66_000 / x >= 100]
    for point in line.points:
        assert point.y.value == pytest.approx(numpy.quantile(pooled, 1 - 1 / point.x, method="inverted_cdf"), rel=0.02)
        alone = [one.percentile(1 - 1 / point.x) for one in held]
        if None not in alone:
            assert (point.y.minimum, point.y.maximum) == (min(alone), max(alone))
    assert line.points[-1].y.minimum == line.points[-1].y.value  # no launch reaches as far alone


def test_spectra_under_load_are_of_the_highest_rate_that_every_line_bore(tmp_path):
    cases = [load_case(name, load) for name in ("pipe", "tcp") for load in (50, 80, 95)] + [load_case("posix_mq", 95)]
    file, whole = result(tmp_path, *cases, grades={5: "invalid", 6: "invalid"})
    (figure,) = (one for one in figures.figures_of([file]) if one.name.startswith("load-spectrum"))
    assert "80 % of saturation" in figure.title
    assert [panel.title for panel in figure.panels] == ["Response time", "Service time"]
    for panel, samples in zip(figure.panels, ("response_ns", "service_ns")):
        assert [line.label for line in panel.lines] == ["pipe block", "tcp block"]
        median = next(point.y for point in panel.lines[0].points if point.x == 2)
        own = percentiles_of(whole, cases[1], samples, "p50_ns")
        assert (median.minimum, median.maximum) == pytest.approx((min(own), max(own)), rel=0.01)


@pytest.mark.parametrize("x, text", [(1, "0 %"), (2, "50 %"), (10, "90 %"), (1e3, "99.9 %"), (1e6, "99.9999 %")])
def test_nines_are_written_as_percent(x, text):
    assert figures.nines_text(x) == text


# --- gaps ---


def test_gaps_have_a_line_for_each_wait_and_cold_caches_one_in_the_same_colour(tmp_path):
    gaps = ("1ms", "1us", "100us")
    cases = [sample.case("idle_gap", "posix_shm", wait=wait, gap=gap) for wait in ("futex", "spin") for gap in gaps]
    cases += [sample.case("idle_gap", "posix_shm", wait="futex", gap=gap, caches="cold") for gap in gaps]
    file, whole = result(tmp_path, *cases, grades={3: "invalid"})
    (figure,) = figures.figures_of([file])
    assert [panel.title for panel in figure.panels] == ["One-way time p50", "One-way time p90"]
    for panel, key in zip(figure.panels, ("p50_ns", "p90_ns")):
        assert [line.label for line in panel.lines] == ["futex", "futex, cold caches", "spin"]
        warm, cold, spin = panel.lines
        assert warm.transport == cold.transport != spin.transport
        assert [point.x for point in warm.points] == [1e3, 1e5, 1e6]
        assert [point.x for point in spin.points] == [1e3, 1e5]
        values = percentiles_of(whole, cases[1], "one_way_ns", key)
        assert warm.points[0].y.value == pytest.approx(numpy.median(values))


@pytest.mark.parametrize("layout", [drawing.WIDE, drawing.NARROW])
def test_axes_of_load_and_gaps_are_named_and_marked(tmp_path, layout):
    cases = [load_case("pipe", load, p99_bound="50us") for load in (5, 50, 80)]
    cases += [sample.case("idle_gap", "pipe", gap=gap) for gap in ("1us", "1ms", "100ms")]
    load, spectrum, gap = figures.figures_of([result(tmp_path, *cases)[0]])
    text = drawing.inline_svg(load, layout, "f")
    assert all(f">{word}<" in text for word in ("offered rate, of saturation", "20 %", "80 %"))
    text = drawing.inline_svg(spectrum, layout, "s")
    assert all(f">{word}<" in text for word in (drawing.AXIS_TITLES["nines"], "0 %", "90 %", "99 %"))
    text = drawing.inline_svg(gap, layout, "g")
    assert all(f">{word}<" in text for word in ("receiver idle for", "1 µs"))


def test_pairs_of_processors_make_a_map_for_each_transport_and_no_other_figure(placed):
    _, drawn = placed
    assert [figure.name for figure in drawn] == ["map-pipe-64B", "map-posix_shm-64B"]
    assert [one.title for one in drawn[0].maps] == ["RTT p50 · block", "RTT p50 · spin"]
    assert [one.title for one in drawn[1].maps] == ["RTT p50 · futex", "RTT p50 · spin"]


def test_the_cells_of_a_map_are_the_medians_of_the_file_in_the_order_of_hwloc(placed):
    whole, drawn = placed
    expected = {case["id"]: case for case in whole["ipcmark"]["cases"]}
    seen = 0
    for figure in drawn:
        for one in figure.maps:
            assert one.pus == tuple(range(16))
            transport, wait = figure.name.split("-")[1], one.title.split(" ")[-1]
            for cell in one.cells:
                low, high = sorted((one.pus[cell.row], one.pus[cell.column]))
                case = expected[sample.case_id(sample.case("ping_pong", transport, wait=wait, placement=f"{low}+{high}"))]
                assert cell.value.value == pytest.approx(case["summary"]["p50_ns"]["median"])
                assert cell.noisy == (case["verdict"]["grade"] == "noisy")
                seen += 1
            places = {(cell.row, cell.column) for cell in one.cells}
            assert (2, 11) not in places and (11, 2) not in places, "invalid"
            assert ((5, 5) in places) == (wait != "spin"), "two that spin do not take turns"
        assert figure.notes == ("Not drawn, because invalid: 2 of 256 cases.",)
    assert seen == 2 * (256 - 2) + 2 * (240 - 2)


def test_a_pair_measured_both_ways_round_is_two_cells(tmp_path):
    cases = [sample.case("ping_pong", "pipe", placement=placement) for placement in ("0+1", "1+0", "0+0", "3+0")]
    (figure,) = figures.figures_of([result(tmp_path, *cases)[0]])
    cells = {(cell.row, cell.column): cell.value for cell in figure.maps[0].cells}
    assert figure.maps[0].pus == (0, 1, 3)
    assert cells[0, 1] != cells[1, 0] and cells[0, 2] == cells[2, 0]
    assert cells.keys() == {(0, 0), (0, 1), (1, 0), (0, 2), (2, 0)}


def test_two_pairs_are_placements_as_others_and_make_no_map(tmp_path):
    cases = [sample.case("ping_pong", "pipe", placement=placement) for placement in ("0+0", "0+1")]
    names = [figure.name for figure in figures.figures_of([result(tmp_path, *cases)[0]])]
    assert names[0] == "rtt-overview" and not any(name.startswith("map") for name in names)


def test_lines_of_a_map_stand_where_the_widest_thing_that_processors_share_ends(placed):
    _, drawn = placed
    assert drawn[0].maps[0].borders == ((2, "l2"), (4, "l3"), (6, "l2"), (8, "package"), (10, "l2"), (12, "l3"), (14, "l2"))
    assert drawn[0].subtitle == "lines between packages, L3 caches, L2 caches"
    unknown = {"pus": [{"logical_index": i, "l3": -1, "core": i} for i in range(2)]}
    assert figures.borders_of((0, 1), unknown) == ((1, "core"),)
    assert figures.borders_of((0, 1), {}) == ()


def test_longer_times_have_later_steps_of_the_scale(placed):
    one = placed[1][0].maps[0]
    limits = drawing.heat_limits(one)
    steps = [drawing.heat_step(cell.value.value, limits) for cell in sorted(one.cells, key=lambda cell: cell.value.value)]
    assert steps == sorted(steps) and steps[0] == 0 and steps[-1] == len(drawing.HEAT) - 1
    alike = figures.HeatMap("", (0, 1), (), tuple(figures.Cell(0, i, estimate(100 + i), False) for i in range(2)))
    low, high = (drawing.heat_step(cell.value.value, drawing.heat_limits(alike)) for cell in alike.cells)
    assert high - low <= 1, "equal times look equal"


def estimate(value):
    return figures.Estimate(value, value, value, value, value, 6)


def test_further_workloads_are_in_no_figure(further):
    whole, drawn = further
    assert {record["ipcmark"]["case"]["workload"] for record in whole["benchmarks"]} > {"pairs", "mailbox", "gossip"}
    assert [figure.name for figure in drawn] == [
        "rtt-overview",
        "throughput-overview",
        "rtt-spectrum-same_l3",
        "waits-pipe-64B-same_l3",
        "waits-posix_shm-64B-same_l3",
    ]
    assert {dot.value.launches for figure in drawn for row in figure.rows for dot in row.dots if dot} == {6}


def test_mixes_of_sizes_are_in_no_figure_and_change_none(tmp_path):
    whole = sample.document("mixes")
    assert {record["ipcmark"]["case"].get("mix") for record in whole["benchmarks"]} > {None, "64:90+4Ki:10"}
    drawn = []
    for name, keep in (("all", lambda case: True), ("plain", lambda case: "mix" not in case)):
        some = copy.deepcopy(whole)
        some["benchmarks"] = [record for record in some["benchmarks"] if keep(record["ipcmark"]["case"])]
        some["ipcmark"]["cases"] = [one for one in some["ipcmark"]["cases"] if keep(one["case"])]
        (tmp_path / f"{name}.json").write_text(json.dumps(some))
        drawn.append(figures.figures_of([read(tmp_path / f"{name}.json")]))
    assert drawn[0] == drawn[1]
    lines = [line for figure in drawn[0] if "by-size" in figure.name for panel in figure.panels for line in panel.lines]
    assert {point.x for line in lines for point in line.points} == {64, 4096}


def test_further_parameters_never_share_a_figure(tmp_path):
    cases = [
        sample.case(workload, "pipe", size, wait=wait, **further)
        for further in ({}, *FURTHER)
        for workload in ("ping_pong", "stream")
        for size in (64, 4096)
        for wait in ("block", "poll", "spin")
    ]
    file, whole = result(tmp_path, *cases)
    drawn = figures.figures_of([file])
    names = [figure.name for figure in drawn]
    assert len(set(names)) == len(names)
    for kind in ("rtt-by-size", "throughput-by-size", "waits"):
        mine = [figure for figure in drawn if figure.name.startswith(kind)]
        assert len(mine) == 1 + len(FURTHER)
        assert len({figure.subtitle for figure in mine}) == len(mine)
    for figure in drawn:
        if figure.name.startswith("capacity"):
            continue
        for panel in figure.panels:
            assert all(point.y.launches == 6 for line in panel.lines for point in line.points)
            assert all(a.x < b.x for line in panel.lines for a, b in pairwise(line.points))
        for row in figure.rows:
            assert all(dot.value.launches == 6 for dot in row.dots if dot)
    overview = next(figure for figure in drawn if figure.name == "throughput-overview")
    plain = values_of(whole, sample.case("stream", "pipe"), lambda record: record["items_per_second"])
    assert next(row for row in overview.rows if row.label == "pipe").dots[0].value.value == pytest.approx(numpy.median(plain))
    swept = [figure for figure in drawn if figure.name.startswith("capacity")]
    assert [figure.subtitle.count(",") for figure in swept] == [0, 0]  # none with overflow or work, only default and 0
    for figure in swept:
        assert {point.y.launches for panel in figure.panels for line in panel.lines for point in line.points} == {6}


def test_figures_whose_conditions_read_alike_as_a_file_name_are_told_apart(tmp_path):
    cases = [
        sample.case("stream", "pipe", size, sched=sched) for sched in ("fifo:10", "fifo-10") for size in (64, 4096)
    ]
    names = [figure.name for figure in figures.figures_of([result(tmp_path, *cases, rounds=1)[0]])]
    assert len(set(names)) == len(names)
    assert {"throughput-by-size-same_l3-sched-fifo-10", "throughput-by-size-same_l3-sched-fifo-10-2"} < set(names)


def test_several_files_are_told_apart_by_letter(tmp_path):
    cases = [sample.case("ping_pong", "pipe", size) for size in (64, 4096)]
    files = [result(tmp_path, *cases, name=f"{i}.json")[0] for i in range(2)]
    by_size = next(figure for figure in figures.figures_of(files) if figure.name.startswith("rtt-by-size"))
    assert [line.label for line in by_size.panels[0].lines] == ["pipe (A)", "pipe (B)"]
    assert drawing.dash_ranks(by_size.panels, 0) == {"pipe (A)": 0, "pipe (B)": 1}


def test_a_line_keeps_its_dashes_where_another_is_missing():
    def line(label):
        return figures.Line("posix_shm", label, ())

    above = figures.Panel("p50", 0, 1, "bytes", "time", (line("posix_shm"), line("posix_shm loan")))
    below = figures.Panel("p99", 1, 1, "bytes", "time", (line("posix_shm loan"),))
    beside = figures.Panel("p50", 0, 0, "bytes", "time", (line("posix_shm futex"),))
    assert drawing.dash_ranks((beside, above, below), 1) == {"posix_shm": 0, "posix_shm loan": 1}
    assert drawing.dash_ranks((beside, above, below), 0) == {"posix_shm futex": 0}


def test_every_figure_is_described_in_words_with_its_extremes(quick):
    for figure in quick[1]:
        assert len(figure.alt) > 100
        assert figure.caption.endswith("noisy.")
        for panel in figure.panels:
            points = [point.y.value for line in panel.lines for point in line.points]
            show = figures.FORMATS[panel.y]
            assert f"from {show(min(points))}" in figure.alt
            assert f"to {show(max(points))}" in figure.alt


def test_time_axes_are_named_round_trip_time(quick):
    for figure in quick[1]:
        for panel in figure.panels:
            assert (panel.y == "time") == panel.title.startswith("RTT")


# --- how it is drawn ---


@pytest.mark.parametrize("seed", range(20))
def test_labels_keep_order_and_distance_and_stay_inside(seed):
    rng = numpy.random.default_rng(seed)
    wanted = list(rng.uniform(0, 200, rng.integers(1, 13)))
    places = drawing.spread(wanted, 16, 0, 250)
    order = numpy.argsort(wanted, kind="stable")
    ordered = [places[i] for i in order]
    assert all(b - a >= 16 - 1e-9 for a, b in pairwise(ordered))
    assert min(ordered) >= 0 and max(ordered) <= 250


def test_labels_with_room_stand_where_they_want():
    assert drawing.spread([100, 10, 50], 16, 0, 200) == pytest.approx([100, 10, 50])
    assert drawing.spread([50, 50], 16, 0, 200) == pytest.approx([42, 58])


@pytest.mark.parametrize("low, high", [(1, 1e9), (3.1e3, 2.9e4), (95, 130), (1.0001, 1.0002), (7, 7.7)])
def test_axes_have_round_ticks_inside_them(low, high):
    ticks = drawing.log_ticks(low, high)
    assert all(low <= tick <= high for tick in ticks)
    assert len(ticks) <= 9


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_colours_stand_out_from_both_pages():
    for light, dark in [*drawing.COLOURS.values(), *drawing.OTHER_COLOURS]:
        assert contrast(light, "#ffffff") >= 3
        assert contrast(dark, "#15181c") >= 4.5


def test_transports_differ_without_colour():
    assert len(set(drawing.MARKERS.values())) == len(drawing.MARKERS) == len(figures.TRANSPORTS)
    assert set(drawing.MARKERS) == set(drawing.COLOURS) == set(figures.TRANSPORTS)


def test_ticks_are_words_for_people():
    assert [drawing.tick_text("bytes", x) for x in (64, 4096, 1 << 20)] == ["64 B", "4 KiB", "1 MiB"]
    assert [drawing.tick_text("time", x) for x in (300, 1e3, 1.5e6)] == ["300 ns", "1 µs", "1.5 ms"]
    assert drawing.tick_text("rate", 3e6) == "3 M/s"
    assert drawing.tick_text("messages", 65536) == "65,536"


@pytest.mark.parametrize("layout", [drawing.WIDE, drawing.NARROW, drawing.SLIDE])
def test_svg_is_well_formed_small_and_says_what_it_shows(quick, layout):
    for figure in quick[1]:
        text = drawing.inline_svg(figure, layout, "f1")
        root = ElementTree.fromstring(text)
        assert root.tag == f"{SVG}svg" and root.get("role") == "img"
        assert root.get("aria-label") == figure.alt
        assert float(root.get("viewBox").split()[2]) == layout.width
        ids = [element.get("id") for element in root.iter() if element.get("id")]
        assert len(set(ids)) == len(ids) and all(name.startswith("f1-") for name in ids)
        assert len(text) < 120_000
        assert any(element.tag == f"{SVG}text" for element in root.iter())
        assert drawing.INK not in text and "var(--ink)" in text


@pytest.mark.parametrize("layout", [drawing.WIDE, drawing.NARROW])
def test_no_label_leaves_the_picture_or_covers_another(quick, further, placed, layout):
    for figure in quick[1] + further[1] + placed[1]:
        picture = drawing.draw(figure, layout, [])
        renderer = picture.canvas.get_renderer()
        boxes = []
        for axes in picture.axes:
            texts = axes.texts + (axes.get_xticklabels() + axes.get_yticklabels() if axes.axison else [])
            boxes += [(text.get_text(), text.get_window_extent(renderer)) for text in texts if text.get_text()]
        for text, box in boxes:
            assert box.x0 >= -1 and box.x1 <= layout.width + 1, (figure.name, text)
        for i, (text, box) in enumerate(boxes):
            for other_text, other in boxes[i + 1 :]:
                wide = min(box.x1, other.x1) - max(box.x0, other.x0)
                high = min(box.y1, other.y1) - max(box.y0, other.y0)
                assert wide < 1 or high < 4, (figure.name, text, other_text)
        drawing.pyplot.close(picture)


def test_saved_files_have_stable_names_title_and_footer(quick, tmp_path):
    figure = next(figure for figure in quick[1] if figure.name == "rtt-by-size-same_l3")
    vector, bitmap = drawing.save(figure, tmp_path, ["a machine · a day"])
    assert (vector.name, bitmap.name) == ("rtt-by-size-same_l3.svg", "rtt-by-size-same_l3.png")
    texts = [element.text for element in ElementTree.parse(vector).getroot().iter(f"{SVG}text")]
    assert figure.title in texts and figure.subtitle in texts and "a machine · a day" in texts
    head = bitmap.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(head[16:20], "big") == 2 * drawing.SLIDE.width


def test_the_same_file_gives_the_same_picture(quick):
    figure = quick[1][5]
    assert drawing.inline_svg(figure, drawing.WIDE, "f") == drawing.inline_svg(figure, drawing.WIDE, "f")


# --- units ---


@pytest.mark.parametrize(
    "value, text",
    [(0, "0"), (0.012345, "0.0123"), (1, "1.00"), (9.996, "10.0"), (99.96, "100"), (123.4, "123"), (12345, "12300")],
)
def test_three_significant_digits(value, text):
    assert units.significant(value) == text


@pytest.mark.parametrize(
    "ns, text", [(0.5, "0.500 ns"), (23.44, "23.4 ns"), (999.4, "999 ns"), (999.6, "1.00 µs"), (1.5e6, "1.50 ms")]
)
def test_times(ns, text):
    assert units.time(ns) == text
    assert units.time(None) == "–"


@pytest.mark.parametrize(
    "value, unit, text",
    [
        (2287.5, "ns", "2.29 µs"),
        (150_418, "ns, median", "150 µs"),
        (478_038.2, "messages_per_second", "478 k/s"),
        (7_372_800, "bytes", "7.03 MiB"),
        (1, "1: yes", "yes"),
        (0, "1: yes", "no"),
        (0.5, "1: yes", "0.5"),
        (0.9987, "ratio", "0.999"),
        (98_767.5, "messages", "98,768"),
        (14.5, "messages", "14.5"),
        (0, "reads", "0"),
    ],
)
def test_observations_are_shown_in_their_unit(value, unit, text):
    assert units.observed(value, unit) == text


def test_sizes_rates_and_ranges():
    assert units.message_size(1536) == "1,536 B"
    assert units.message_size(3 << 30) == "3 GiB"
    assert units.rate(45_678_901) == "45.7 M/s"
    assert units.bandwidth(5.5e9) == "5.50 GB/s"
    assert units.bandwidth(97_800_000) == "97.8 MB/s"
    assert units.time_range(968, 1020) == "0.968–1.02 µs"
    assert units.time_range(0, 0) == "0 ns"
    assert units.duration(141.2) == "2 min 21 s" and units.duration(3700) == "1 h 1 min"
