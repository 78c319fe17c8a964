"""The report as a whole: what it says equals the file, it needs nothing from outside, and it fits a phone."""

import copy
import json
import re
import shutil
import subprocess
import sys
import tempfile
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy
import pytest

import report
import sample
import units
from results import read

REPORT = Path(report.__file__).resolve()
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Tags with their attributes, and the text of the page, checked for balance while it is parsed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.open = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def write(directory, *paths, with_figures=True):
    """The page. Drawing takes most of the time, and not all look at the figures."""
    with pytest.MonkeyPatch.context() as patch:
        if not with_figures:
            patch.setattr(report.figures, "figures_of", lambda files: [])
        index = report.write([read(path) for path in paths], directory)
    return index.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """(what the file says, the page, its folder) of a shape, drawn once."""
    done = {}

    def of(shape):
        if shape not in done:
            directory = tmp_path_factory.mktemp(shape)
            whole = sample.write(directory / "in.json", shape)
            done[shape] = (whole, write(directory / "out", directory / "in.json"), directory / "out")
        return done[shape]

    return of


@pytest.fixture(scope="module")
def quick(rendered):
    return rendered("quick")


def cells(html, transport, variant, placement):
    """The texts of a row of the headline table."""
    table = html[html.index('id="table"') : html.index("</table>", html.index('id="table"'))]
    part = next(part for part in table.split("<tbody>")[1:] if f"<span>{placement}" in part)
    row = next(
        row
        for row in part.split("<tr>")
        if f'<th scope="row">{transport}<small>{variant}</small>' in row
    )
    return [re.sub(r"<[^>]+>", "|", cell).strip("|").split("|") for cell in re.findall(r"<td.*?</td>", row)]


def launches(whole, **case):
    wanted = sample.case_id(sample.case(**case))
    return [record for record in whole["benchmarks"] if record["name"] == wanted]


# --- numbers ---


@pytest.mark.parametrize(
    "transport, wait, access, placement, sizes",
    [
        ("pipe", "block", "copy", "same_l3", (64, 1024, 16384, 262144)),
        ("tcp", "spin", "copy", "same_l3", (64,)),
        ("posix_shm", "spin", "loan", "same_l3", (64, 1024, 16384, 262144)),
        ("sysv_shm", "futex", "copy", "same_pu", (64,)),
    ],
)
def test_the_headline_table_equals_the_file(quick, transport, wait, access, placement, sizes):
    whole, html, _ = quick
    same = {"transport": transport, "wait": wait, "access": access, "placement": placement}

    def values(workload, size, take):
        return numpy.array([take(record) for record in launches(whole, workload=workload, size=size, **same)])

    def expected(values, show, show_range):
        assert len(values) == 6
        return [show(float(numpy.median(values))), show_range(float(values.min()), float(values.max()))]

    variant = wait if access == "copy" else f"{wait}, {access}"
    p50, p99, messages, bandwidth, best, cpu, verdict = cells(html, transport, variant, placement)
    rtt = lambda name: values("ping_pong", 64, lambda record: record["ipcmark"]["distribution"][name])  # noqa: E731
    assert p50 == expected(rtt("p50_ns"), units.time, units.time_range)
    assert p99 == expected(rtt("p99_ns"), units.time, units.time_range)
    rates = values("stream", 64, lambda record: record["items_per_second"])
    assert messages == expected(rates, units.rate, units.rate_range)
    flows = {size: values("stream", size, lambda record: record["bytes_per_second"]) for size in sizes}
    size = max(flows, key=lambda size: numpy.median(flows[size]))
    assert bandwidth == expected(flows[size], units.bandwidth, units.bandwidth_range)
    assert best == [units.message_size(size) + (" only" if len(sizes) == 1 else "")]
    assert cpu == expected(values("stream", 64, lambda record: record["cpu_time"]), units.time, units.time_range)
    assert verdict == ["ok"]


def test_the_summary_names_the_best_of_the_file(quick):
    whole, html, _ = quick
    by_case = {}
    for record in whole["benchmarks"]:
        case = record["ipcmark"]["case"]
        if case["capacity"] == "default" and case["transport"] != "null":
            by_case.setdefault(record["name"], []).append(record)

    def best(keep, take, choose):
        medians = {
            name: numpy.median([take(record) for record in records])
            for name, records in by_case.items()
            if keep(records[0]["ipcmark"]["case"])
        }
        name = choose(medians, key=medians.get)
        return medians[name], by_case[name][0]["ipcmark"]["case"]

    def p50(record):
        return record["ipcmark"]["distribution"]["p50_ns"]

    def ping(case):
        return case["workload"] == "ping_pong" and case["message_bytes"] == 64

    def stream(case):
        return case["workload"] == "stream"

    kernel = best(lambda case: ping(case) and case["transport"] not in sample.SHARED_MEMORY, p50, min)
    expected = [
        ("Fastest round trip", units.time, best(ping, p50, min)),
        ("Fastest through the kernel", units.time, kernel),
        (
            "Most messages",
            units.rate,
            best(lambda case: stream(case) and case["message_bytes"] == 64, lambda r: r["items_per_second"], max),
        ),
        ("Most bytes", units.bandwidth, best(stream, lambda r: r["bytes_per_second"], max)),
    ]
    for label, show, (value, case) in expected:
        tile = next(part for part in html.split('<div class="tile">') if f">{label}<" in part)
        assert f'<div class="value">{show(value)}</div>' in tile
        assert f'<div class="who">{case["transport"]} (' in tile and case["placement"] in tile


def test_a_contrast_is_told_only_when_intervals_do_not_meet(quick, tmp_path):
    whole = copy.deepcopy(quick[0])
    text = Page(quick[1]).text
    assert "Placement: a round trip over" in text and "Waiting: a round trip over posix_shm" in text
    for record in whole["benchmarks"]:
        distribution = record["ipcmark"]["distribution"]
        if distribution:  # every case from 1 to 6 µs: nothing can be told apart
            distribution["p50_ns"] = 1000.0 * record["ipcmark"]["round"]
    (tmp_path / "same.json").write_text(json.dumps(whole))
    text = Page(write(tmp_path / "untold", tmp_path / "same.json", with_figures=False)).text
    assert "Placement: a round trip" not in text and "Waiting: a round trip" not in text
    assert "Not told apart from" in text


def test_capacity_shows_asked_limit_source_and_fits(quick):
    html = quick[1]
    section = html[html.index('id="capacity"') : html.index('id="verdicts"')]
    row = next(row for row in section.split("<tr>") if "pipe" in row and ">16<" in row)
    assert re.findall(r"<td[^>]*>([^<]*)", row)[:5] == ["16", "65,536 bytes", "F_GETPIPE_SZ", "64", "64"]
    assert "≥ 60,412–65,536" in section
    assert "not probed: it never fills" in section


# --- further workloads ---


def workload_table(html, name):
    """(titles of the columns, rows by transport and variant) of a workload's section; a cell is its lines."""
    section = html[html.index(f'<span class="count">{name}</span></h3>') :]
    table = section[: section.index("</table>")]

    def texts(cell):
        return [unescape(text) for text in re.sub(r"<[^>]+>", "|", cell).split("|") if text]

    head = re.findall(r"<th scope=\"col\".*?</th>", table)
    rows = {}
    for row in re.findall(r'<tr><th scope="row">.*?</tr>', table):
        key, *values = re.findall(r"<t[hd].*?</t[hd]>", row)
        rows.setdefault(tuple(texts(key)), []).append([texts(value) for value in values])
    return [texts(cell) for cell in head], rows


def values_of(whole, take, **case):
    found = [float(take(record)) for record in launches(whole, **case)]
    assert len(found) == 6
    return found


def seen(name):
    return lambda record: next(o["value"] for o in record["ipcmark"]["observations"] if o["name"] == name)


def text_and_interval(values, show, show_range):
    return [show(float(numpy.median(values))), show_range(min(values), max(values))]


def test_every_further_workload_of_the_file_has_a_section_and_no_other(rendered, quick):
    whole, html, _ = rendered("further")
    names = re.findall(r'<span class="count">(\w+)</span></h3>', html)
    assert names == [
        *("duplex", "pairs", "client_server", "burst", "cross", "pipeline", "setup", "state", "mailbox"),
        "gossip",  # which nobody has heard of
    ]
    assert set(names) == {case["case"]["workload"] for case in whole["ipcmark"]["cases"]} - {"ping_pong", "stream"}
    assert 'href="#workloads"' in html
    assert 'id="workloads"' not in quick[1] and 'href="#workloads"' not in quick[1]


def test_rows_of_a_further_workload_equal_the_file(rendered):
    whole, html, _ = rendered("further")
    titles, rows = workload_table(html, "pairs")
    words = ("transport", "parameters", "messages", "CPU for each", "slowest pair", "Jain's index", "verdict")
    assert titles == [[word] for word in words]
    assert set(rows) == {("pipe", "block"), ("posix_shm", "futex")}
    for count, row in zip((1, 2, 4), rows["pipe", "block"]):
        case = {"workload": "pairs", "transport": "pipe", "pairs": count}
        assert row == [
            [f"pairs {count}"],
            text_and_interval(values_of(whole, lambda r: r["items_per_second"], **case), units.rate, units.rate_range),
            text_and_interval(values_of(whole, lambda r: r["cpu_time"], **case), units.time, units.time_range),
            [units.rate(numpy.median(values_of(whole, seen("slowest_pair"), **case)))],
            [units.significant(numpy.median(values_of(whole, seen("jain_index"), **case)))],
            ["ok"],
        ]


def test_phases_and_samples_of_a_further_workload_have_columns(rendered):
    whole, html, _ = rendered("further")
    titles, rows = workload_table(html, "setup")
    assert titles[1:4] == [["cycle p50"], ["cycles"], ["CPU for each"]]
    assert titles[4:] == [["create", "median"], ["open", "median"], ["opened by fork"], ["verdict"]]
    ((p50, _, _, create, _, by_fork, _),) = rows["pipe", "block"]
    case = {"workload": "setup", "transport": "pipe"}
    cycles = values_of(whole, lambda r: r["ipcmark"]["distribution"]["p50_ns"], **case)
    assert p50 == text_and_interval(cycles, units.time, units.time_range)
    assert create == [units.time(numpy.median(values_of(whole, seen("create_ns"), **case)))]
    assert by_fork == ["yes"] and rows["posix_shm", "futex"][0][5] == ["no"]
    assert workload_table(html, "client_server")[0][2] == ["call p50"]
    assert workload_table(html, "burst")[0][2] == ["sender waits, p50"]


def test_what_ended_in_a_deadlock_has_its_messages_but_no_times(rendered):
    _, html, _ = rendered("further")
    titles, rows = workload_table(html, "cross")
    through, stuck = rows["pipe", "block"]
    shown = [titles.index([word]) - 1 for word in ("exchange p50", "messages", "CPU for each")]
    assert all(through[i] != ["–"] and stuck[i] == ["–"] for i in shown)
    after = titles.index(["deadlock after", "messages"]) - 1 if ["deadlock after", "messages"] in titles else -2
    assert through[after] == ["–"] and stuck[after] == ["32"]
    assert stuck[-1] == ["ok"]


def test_parameters_sizes_and_empty_tries_are_told_where_there_are_some(rendered):
    _, html, _ = rendered("further")
    titles, rows = workload_table(html, "mailbox")
    assert ["size"] in titles and ["sender: empty tries per message"] in titles
    assert [row[0] for row in rows["pipe", "spin"]] == [["64 B"], ["4 KiB"]]
    assert rows["pipe", "spin"][0][1] == ["1 sender, 8 receivers"]
    assert rows["pipe", "spin"][0][-2] == ["3"]
    titles, rows = workload_table(html, "pipeline")
    assert ["size"] not in titles and "Messages of 64\u00a0B." in html
    assert [row[0] for row in rows["pipe", "spin"]] == [["work 100, stages 2, hops pipe+posix_shm"]]
    assert rows["pipe", "block"][0][titles.index(["sender: empty tries per message"]) - 1] == ["–"]
    assert ["parameters"] not in workload_table(html, "duplex")[0]


def test_mixes_of_sizes_have_tables_of_their_own(rendered):
    whole, html, _ = rendered("mixes")
    names = re.findall(r'<span class="count">([\w ]+)</span></h3>', html)
    assert names == ["stream of a mix", "ping_pong of a mix", "duplex"]
    titles, rows = workload_table(html, "ping_pong of a mix")
    assert titles[:4] == [["transport"], ["size"], ["parameters"], ["RTT p50"]]
    assert [row[:2] for row in rows["pipe", "block"]] == [
        [["up to 4 KiB"], ["mix 64:90+4Ki:10"]],
        [["up to 64 KiB"], ["mix 64:99+64Ki:1"]],
    ]
    case = {"workload": "stream", "transport": "posix_mq", "size": 65536, "mix": "64:99+64Ki:1"}
    rate = text_and_interval(values_of(whole, lambda r: r["items_per_second"], **case), units.rate, units.rate_range)
    assert workload_table(html, "stream of a mix")[1]["posix_mq", "block"][1][2] == rate
    # What is said of single sizes is said of these alone.
    summary = html[html.index('id="summary"') : html.index('id="workloads"')]
    assert "mix 64" not in summary and "64 KiB" not in summary
    cases = html[html.index('id="cases"') :]
    assert cases.count('<td class="n">up to 4 KiB</td><td>mix 64:90+4Ki:10</td>') == 6
    capacity = html[html.index('id="capacity"') :]
    assert "<small>mix 64:90+4Ki:10</small>" in capacity[: capacity.index("</section>")]


def test_loads_and_gaps_stand_in_order_with_their_response_and_one_way_times(rendered):
    whole, html, _ = rendered("load")
    titles, rows = workload_table(html, "paced")
    assert titles[1:4] == [["parameters"], ["response p50"], ["messages"]]
    curve = rows["pipe", "block"]
    assert [row[0][0].split(",")[0] for row in curve] == [f"rate {load}%" for load in sample.LOADS]
    case = {"workload": "paced", "transport": "pipe", "rate": "20%", "arrivals": "poisson", "p99_bound": "100us"}
    response = values_of(whole, lambda r: r["ipcmark"]["distribution"]["p50_ns"], **case)
    assert curve[1][1] == text_and_interval(response, units.time, units.time_range)
    assert curve[-1][1] == ["invalid"] and curve[-1][-1] == ["invalid"]
    offered = titles.index(["offered"]) - 1
    assert curve[1][offered] == [units.rate(numpy.median(values_of(whole, seen("offered"), **case)))]
    titles, rows = workload_table(html, "idle_gap")
    assert ["one-way p50"] in titles
    gaps = [row[0][0] for row in rows["posix_shm", "futex"]]
    assert gaps == [f"gap {gap}{cold}" for cold in ("", ", caches cold") for gap in sample.GAPS]


def test_a_workload_nobody_has_heard_of_is_shown_with_what_it_observed(rendered):
    _, html, _ = rendered("further")
    titles, rows = workload_table(html, "gossip")
    assert ["rumours <b>"] in titles
    assert len(rows) == 2


def test_what_a_stream_observed_stands_with_all_cases(rendered, quick, tmp_path):
    whole = sample.document("one_case")
    for record in whole["benchmarks"]:
        record["ipcmark"]["observations"] = [
            {"name": "dropped", "unit": "messages", "value": 19_523},
            {"name": "peak_backlog_memory", "unit": "bytes", "value": 7_372_800},
        ]
    (tmp_path / "in.json").write_text(json.dumps(whole))
    html = write(tmp_path / "out", tmp_path / "in.json", with_figures=False)
    cases = html[html.index('id="cases"') :]
    assert ">dropped 19,523 messages, peak backlog memory 7.03 MiB<" in cases
    cases = rendered("one_case")[1]
    assert ">observed</th>" not in cases[cases.index('id="cases"') :]
    cases = rendered("further")[1]
    assert "sender: empty tries per message 3" in cases[cases.index('id="cases"') :]


def test_capacities_are_listed_from_the_default_over_the_least_to_no_bound(quick):
    html = quick[1]
    section = html[html.index('id="capacity"') : html.index('id="verdicts"')]
    first = section[: section.index("</table>")]
    rows = re.findall(r'<th scope="row">posix_shm</th><td class="n">([^<]*)', first)
    assert rows == ["default", "0 (native)", "1", "4", "16", "64", "256", "4096", "unbounded"]


def test_capacities_that_differ_by_workload_name_it(tmp_path):
    whole = sample.document("further")
    for record in whole["benchmarks"]:
        if record["ipcmark"]["case"]["workload"] == "pairs":
            record["ipcmark"]["capacity"]["resume_after"] = 7
    (tmp_path / "in.json").write_text(json.dumps(whole))
    html = write(tmp_path / "out", tmp_path / "in.json", with_figures=False)
    section = html[html.index('id="capacity"') : html.index('id="verdicts"')]
    rows = re.findall(r'<th scope="row">pipe<small>([^<]*)</small></th>(.*?)</tr>', section)
    resumed = {variant: re.findall(r"<td[^>]*>([^<]*)", row)[4] for variant, row in rows if ">default<" in row}
    assert resumed.pop("pairs") == "7"
    ((others, value),) = resumed.items()
    assert value == "64" and {"ping_pong", "stream", "setup"} < set(others.split(", "))
    assert '<th scope="row">pipe</th>' in section  # capacity 16, of bursts alone


def test_what_is_numbered_by_role_is_one_column(tmp_path):
    whole = sample.document("further")
    for record in whole["benchmarks"]:
        if record["ipcmark"]["case"]["workload"] == "mailbox":
            record["ipcmark"]["observations"] = [
                {"name": f"receiver_{i}_share", "unit": "ratio", "value": 0.1 + 0.01 * i} for i in range(1, 9)
            ]
    (tmp_path / "in.json").write_text(json.dumps(whole))
    titles, rows = workload_table(write(tmp_path / "out", tmp_path / "in.json", with_figures=False), "mailbox")
    assert titles.count(["receiver share"]) == 1
    assert rows["pipe", "spin"][0][titles.index(["receiver share"]) - 1] == ["0.110–0.180"]


def test_an_invalid_case_of_a_further_workload_keeps_what_was_observed(tmp_path):
    whole = sample.document("further")
    for case in whole["ipcmark"]["cases"]:
        if case["case"]["workload"] == "state":
            case["verdict"] = {"grade": "invalid", "reasons": ["torn"]}
    (tmp_path / "in.json").write_text(json.dumps(whole))
    _, rows = workload_table(write(tmp_path / "out", tmp_path / "in.json", with_figures=False), "state")
    assert [cell[0] for cell in rows["pipe", "block"][0]][:3] == ["invalid", "invalid", "0"]
    assert rows["pipe", "block"][0][-1] == ["invalid"]


def test_a_file_of_further_workloads_alone_says_where_they_stand(tmp_path):
    whole = sample.document("further")
    own = whole["ipcmark"]
    whole["benchmarks"] = [r for r in whole["benchmarks"] if r["ipcmark"]["case"]["workload"] == "pairs"]
    own["cases"] = [c for c in own["cases"] if c["case"]["workload"] == "pairs"]
    (tmp_path / "in.json").write_text(json.dumps(whole))
    html = write(tmp_path / "out", tmp_path / "in.json")
    text = Page(html).text
    assert "Neither round trips nor streams were measured" in text
    assert "There is no valid result" not in text
    assert 'id="table"' not in html and 'id="figures"' not in html
    check_self_contained(Page(html), tmp_path / "out")


def test_workloads_with_more_cases_are_folded(tmp_path):
    rng = numpy.random.default_rng(3)
    whole = sample.document("one_case")
    for size in range(64, 64 + 31):
        case = sample.case("pairs", "pipe", size)
        whole["benchmarks"].append(sample.launch(case, 1, 0, rng, 400))
        whole["ipcmark"]["cases"].append(
            {"id": sample.case_id(case), "case": case, "verdict": {"grade": "ok", "reasons": ["quiet"]}}
        )
    (tmp_path / "in.json").write_text(json.dumps(whole))
    html = write(tmp_path / "out", tmp_path / "in.json", with_figures=False)
    assert "All of pairs" in Page(html).text
    assert len(workload_table(html, "pairs")[1]["pipe", "block"]) == 31


# --- every kind of file ---


@pytest.mark.parametrize("shape", [shape for shape in sample.SHAPES if shape != "quick"])
def test_every_kind_of_file_renders(rendered, shape):
    whole, html, directory = rendered(shape)
    page = Page(html)
    check_self_contained(page, directory)
    assert whole["ipcmark"]["run"]["suite"] in page.text
    assert whole["ipcmark"]["machine"]["kernel"] in page.text
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)


def test_maps_of_the_machine_are_drawn(rendered):
    _, html, directory = rendered("placement")
    names = ["map-pipe-64B", "map-posix_shm-64B"]
    pictures = sorted(path.name for path in (directory / "figures").iterdir())
    assert pictures == sorted(f"{name}.{kind}" for name in names for kind in ("png", "svg"))
    assert html.count("<svg") == 2 * len(names)


def check_self_contained(page, directory):
    ids = {attributes.get("id") for _, attributes in page.tags}
    for tag, attributes in page.tags:
        assert tag not in ("script", "iframe", "object", "embed", "link", "img")
        for name in ("src", "href", "xlink:href", "srcset", "action"):
            target = attributes.get(name)
            if target is None:
                continue
            assert not re.match(r"\w+:|//", target), f"{tag} {name}={target}"
            assert target[1:] in ids if target.startswith("#") else (directory / target).is_file()
        if tag == "svg":
            assert attributes["role"] == "img" and len(attributes["aria-label"]) > 20
    for text in (tag for tag in page.tags if "style" in tag[1]):
        assert "http" not in text[1]["style"]


def test_the_quick_suite_is_self_contained_and_small(quick):
    _, html, directory = quick
    page = Page(html)
    check_self_contained(page, directory)
    assert len(html.encode()) < 3_000_000
    assert "http" not in re.sub(r'xmlns(:xlink)?="[^"]*"', "", html)
    assert "@import" not in html and "url(http" not in html
    svgs = [attributes for tag, attributes in page.tags if tag == "svg"]
    pictures = sorted(path.name for path in (directory / "figures").iterdir())
    assert len(svgs) == len(pictures) == 18


def test_all_skipped_says_so_and_lists_the_reasons(rendered):
    text = Page(rendered("all_skipped")[1]).text
    assert "Nothing was measured" in text
    assert "There is no valid result to sum up." in text
    assert "posix_mq: not on this machine" in text


def test_one_launch_has_no_interval_and_says_so(rendered):
    _, html, _ = rendered("one_launch")
    assert "no 95 % interval can be given" in html
    assert "1 launch, too few for an interval" in html
    assert "95 % interval " not in html.split('id="table"')[0].split('id="summary"')[1]


def test_verdicts_are_shown_with_their_reasons(rendered):
    whole, html, _ = rendered("verdicts")
    grades = [case["verdict"]["grade"] for case in whole["ipcmark"]["cases"]]
    section = html[html.index('id="verdicts"') : html.index('id="not-measured"')]
    assert section.count('class="grade noisy"') == grades.count("noisy") > 0
    assert section.count('class="grade invalid"') == grades.count("invalid") > 0
    assert "quartile spread 23.4 %" in section
    assert "backwards &lt;12 times&gt;" in section
    assert f"{grades.count('ok')} of {len(grades)} cases are ok" in Page(html).text


def test_failures_are_shown_with_round_and_reason(rendered):
    whole, html, _ = rendered("failures")
    text = Page(html).text
    assert f"{len(whole['ipcmark']['failures'])} cases failed" in text
    assert "receiver 1: killed by signal 9 after 1204 messages" in text


def test_long_lists_of_skips_are_grouped_by_reason(rendered):
    whole, html, _ = rendered("long_skips")
    section = html[html.index('id="not-measured"') : html.index('id="machine"')]
    assert section.count("<details>") == 4
    assert section.count("<li>") == len(whole["ipcmark"]["skipped"]) > 300
    assert "(and 299 more that differ only in numbers)" in section
    assert section.index("msgsize_max") < section.index("cross_numa")


def test_markup_in_a_file_stays_text(rendered):
    _, html, _ = rendered("odd")
    assert "<script" not in html and "<b>lab" not in html
    assert "&lt;b&gt;lab &amp; &#34;co&#34;&lt;/b&gt;" in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert '<b>lab & "co"</b>' in Page(html).text


def test_a_percentile_nobody_can_know_is_withheld(rendered):
    # 6 launches of 400 round trips: 24 beyond p99.
    _, html, _ = rendered("odd")
    p50, p99, *_ = cells(html, "pipe", "block", "same_l3")
    assert p50[0].endswith("µs") and p99 == ["–"]


def test_a_journal_with_a_torn_tail_renders_and_says_so(tmp_path):
    whole = sample.document("one_case")
    (tmp_path / "in.journal").write_text(sample.journal(whole)[:-30])
    text = Page(write(tmp_path / "out", tmp_path / "in.journal", with_figures=False)).text
    assert "journal of a run that has not finished" in text and "torn" in text
    assert "1 case, 5 launches of each" in text
    assert "finished not in the file" in text


def test_a_run_that_is_mostly_noise_says_so_at_the_top(tmp_path):
    whole = sample.document("one_case")
    whole["ipcmark"]["cases"][0]["verdict"] = {"grade": "noisy", "reasons": ["too loud"]}
    (tmp_path / "in.json").write_text(json.dumps(whole))
    text = Page(write(tmp_path / "out", tmp_path / "in.json", with_figures=False)).text
    assert "1 of 1 cases are noisy" in text and "Judged noisy." in text and "too loud" in text


def test_the_floor_stands_below_the_mechanisms(quick):
    table = quick[1][quick[1].index('id="table"') :]
    rows = re.findall(r'<th scope="row">(\w+)<small>', table[: table.index("</tbody>")])
    assert rows[-1] == "null" and rows.count("null") == 1


def test_a_figure_is_told_as_a_multiple_of_its_floor(rendered):
    whole, html, _ = rendered("one_case")
    case = next(case for case in whole["ipcmark"]["cases"] if "floor" in case["summary"])
    multiple = units.significant(case["summary"]["floor"]["multiple"])
    assert f'<td class="n">× {multiple}<small>{units.time(5_300)}: two wake-ups</small></td>' in html
    assert "<tr><td>0 and 1</td>" in html and units.time(2_650) in html


def test_what_a_reader_must_know_of_a_run_is_said(tmp_path):
    whole = sample.document("one_case")
    whole["ipcmark"]["run"] |= {"interrupted": True, "complete": False}
    whole["context"]["library_build_type"] = "debug"
    (tmp_path / "in.json").write_text(json.dumps(whole))
    text = Page(write(tmp_path / "out", tmp_path / "in.json", with_figures=False)).text
    assert "The run was interrupted" in text
    assert "debug build" in text
    assert "ipcmark run --suite quick -o results.json" in text
    assert "2 min 21 s" in text


def test_a_machine_of_which_nothing_is_known_is_not_invented(tmp_path):
    whole = sample.document("one_case")
    whole["ipcmark"]["machine"] = {}
    whole["ipcmark"]["run"] = {}
    whole["context"] = {}
    (tmp_path / "in.json").write_text(json.dumps(whole))
    text = Page(write(tmp_path / "out", tmp_path / "in.json", with_figures=False)).text
    assert "unnamed host" in text and text.count("not in the file") > 10


def test_several_files_are_lettered_and_a_change_of_machine_is_said(tmp_path):
    sample.write(tmp_path / "a.json", "one_case", seed=1)
    whole = sample.document("one_case", seed=2)
    whole["ipcmark"]["machine"] |= {"host_name": "another-host", "fingerprint": "00"}
    (tmp_path / "b.json").write_text(json.dumps(whole))
    text = Page(write(tmp_path / "out", tmp_path / "a.json", tmp_path / "b.json", with_figures=False)).text
    assert "2 runs" in text and "machines with different fingerprints" in text
    assert "another-host" in text and "block, A" in text and "block, B" in text


# --- the command ---


def command(*arguments, cwd):
    return subprocess.run([sys.executable, REPORT, *arguments], cwd=cwd, capture_output=True, text=True, timeout=120)


def test_the_command_works_from_any_folder_and_prints_the_page(tmp_path):
    sample.write(tmp_path / "in.json", "one_case")
    done = command("in.json", "-o", "deep/out", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "deep/out/index.html\n", "")
    assert (tmp_path / "deep/out/figures/rtt-overview.png").is_file()


@pytest.mark.parametrize(
    "content, says", [(None, "No such file"), ("", "empty file"), ("{", "neither"), ('{"ipcmark": {}}', "schema_version")]
)
def test_a_bad_file_ends_with_status_2_and_one_line(tmp_path, content, says):
    if content is not None:
        (tmp_path / "in.json").write_text(content)
    done = command("in.json", "-o", "out", cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "in.json" in done.stderr and says in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_directory_that_cannot_be_made_ends_with_status_2_and_one_line(tmp_path):
    sample.write(tmp_path / "in.json", "one_case")
    (tmp_path / "file").touch()
    done = command("in.json", "-o", "file/out", cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "-o file/out" in done.stderr


# --- in a browser ---

PROBE = """<script>
addEventListener("load", () => {
  const wide = [...document.querySelectorAll("body *")].filter(element => {
    if (element.closest(".scroll, svg") || !element.getClientRects().length) return false;
    return element.getBoundingClientRect().right > document.documentElement.clientWidth + 1;
  });
  parent.postMessage({
    width: document.documentElement.clientWidth,
    content: document.documentElement.scrollWidth,
    wide: wide.map(element => element.outerHTML.slice(0, 120)),
    figures: [...document.querySelectorAll("figure svg")].filter(svg => svg.getClientRects().length).length,
  }, "*");
});
</script>"""

FRAME = """<!DOCTYPE html><body><iframe src="probe.html" style="border:0;width:{width}px;height:900px"></iframe>
<pre id="found"></pre><script>
addEventListener("message", event => {{ document.getElementById("found").textContent = JSON.stringify(event.data); }});
</script>"""


@pytest.fixture(scope="module")
def browser():
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("no Chromium on this machine: the layout cannot be tried")
    return path


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    directory = tmp_path_factory.mktemp("odd")
    sample.write(directory / "odd.json", "odd")
    sample.write(directory / "failures.json", "failures")
    return write(directory / "report", directory / "odd.json", directory / "failures.json")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("kind", ["quick", "odd", "further"])
def test_nothing_runs_over_the_edge_of_a_screen(browser, rendered, odd, tmp_path, kind, width):
    html = (odd if kind == "odd" else rendered(kind)[1]).replace("<details>", "<details open>")
    (tmp_path / "probe.html").write_text(html.replace("</body>", PROBE + "</body>"), encoding="utf-8")
    (tmp_path / "frame.html").write_text(FRAME.format(width=width))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        done = subprocess.run(
            [
                browser,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--hide-scrollbars",
                "--disable-background-networking",
                "--disable-sync",
                "--enable-logging=stderr",
                f"--user-data-dir={profile}",
                "--window-size=1400,1000",
                "--virtual-time-budget=5000",
                "--dump-dom",
                (tmp_path / "frame.html").as_uri(),
            ],
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert ":CONSOLE" not in done.stderr, done.stderr
    answer = re.search(r'<pre id="found">(\{.*?)</pre>', done.stdout, re.DOTALL)
    assert answer, done.stdout[-2000:] + done.stderr[-2000:]
    found = json.loads(answer[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    assert found["width"] == width
    assert found["content"] <= width, found["wide"]
    assert found["wide"] == []
    assert found["figures"] == html.count("<figure ")
