"""results/schema.json is the contract: what the C++ writer writes fits it, and what is slightly wrong does not."""

import copy
import json
import re
from pathlib import Path

import jsonschema
import pytest


def refuse_constant(name):
    raise ValueError(f"{name} is no JSON")


def load(path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse_constant)


@pytest.fixture(scope="module")
def validator(schema):
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("name", ["base.json", "slower.json", "interrupted.json"])
def test_files_of_the_writer_fit(samples, validator, name):
    validator.validate(load(samples / name))


def test_lines_of_a_journal_fit(samples, schema):
    lines = (samples / "unfinished.json.journal").read_text(encoding="utf-8").splitlines()
    line_schema = {"$ref": "#/$defs/journal_line", "$defs": schema["$defs"]}
    validator = jsonschema.Draft202012Validator(line_schema)
    for line in lines:
        validator.validate(json.loads(line, parse_constant=refuse_constant))
    assert [json.loads(line)["type"] for line in lines] == ["header", "skip"] + 4 * ["launch"] + ["failure"]


def test_a_journal_line_with_a_stranger_in_it_is_rejected(samples, schema):
    line = json.loads((samples / "unfinished.json.journal").read_text(encoding="utf-8").splitlines()[2])
    validator = jsonschema.Draft202012Validator({"$ref": "#/$defs/journal_line", "$defs": schema["$defs"]})
    assert validator.is_valid(line)
    line["ipcmark"]["stranger"] = 1
    assert not validator.is_valid(line)


def own_objects(node, place=()):
    """(place, object) of every object that must be strict: all but `context`, which is Google Benchmark's."""
    if isinstance(node, dict):
        if place[:1] != ("context",):
            yield place, node
        for key, value in node.items():
            yield from own_objects(value, (*place, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from own_objects(value, (*place, index))


def at(document, place):
    for step in place:
        document = document[step]
    return document


def one_of_each(document):
    """The document, with one entry in every long list: every kind of object is still there."""
    small = copy.deepcopy(document)
    small["benchmarks"] = small["benchmarks"][2:4]  # one with a distribution of round trips, one of windows
    return small


# Only these may be missing: not every launch of every case reaches so far, and not every workload has them.
OPTIONAL = {"p50_ns", "p99_ns", "pooled", "observations", "distributions", "empty_tries", "work_done", "floor"}
OPTIONAL |= {"disturbance", "examination", "cost_per_message", "user_ns", "system_ns", "stops", "stopped_ns"}
OPTIONAL |= {"why", "order_pairs", "transports", "hooks", "on_start", "on_end", "precision", "warm_up"}
OPTIONAL_FLOORS = {"pus", "pairs", "note"}


def test_an_unknown_key_is_rejected_in_every_object(samples, validator):
    document = one_of_each(load(samples / "base.json"))
    assert validator.is_valid(document)
    places = [place for place, _ in own_objects(document)]
    assert len(places) > 50
    for place in places:
        spoiled = copy.deepcopy(document)
        at(spoiled, place)["stranger"] = 0
        assert not validator.is_valid(spoiled), f"{place} takes any key"


def test_a_missing_key_is_rejected_in_every_object(samples, validator):
    document = one_of_each(load(samples / "base.json"))
    for place, node in list(own_objects(document)):
        for key in node:
            if place and place[-1] == "floors" and key in OPTIONAL_FLOORS:
                continue
            if key in OPTIONAL and not {"distribution", "distributions"} & set(place):
                continue
            spoiled = copy.deepcopy(document)
            del at(spoiled, place)[key]
            assert not validator.is_valid(spoiled), f"{place} does without {key}"


@pytest.mark.parametrize(
    "place, wrong",
    [
        (("span_ns",), -5),
        (("span_ns",), 0),
        (("span_ns",), "1000"),
        (("messages",), 1.5),
        (("started",), None),
        (("case", "send_wait"), "sleep"),
        (("case", "capacity"), "-1"),
        (("case", "capacity"), 16),
        (("case", "sched"), "fifo:"),
        (("capacity", "limit", "unit"), "pages"),
        (("verdict", "grade"), "fine"),
        (("verdict", "reasons"), []),
        (("distribution", "of"), "latency"),
        (("distribution", "histogram"), "h2;1;1;1;1;1"),
        (("roles", 0, "cost", "cpu_ns"), -1),
        (("roles", 0, "granted_pus"), [-1]),
    ],
)
def test_a_wrong_value_is_rejected(samples, validator, place, wrong):
    document = load(samples / "base.json")
    assert validator.is_valid(document)
    *parents, key = place
    at(document["benchmarks"][0]["ipcmark"], parents)[key] = wrong
    assert not validator.is_valid(document)


def properties(node, place="schema"):
    if isinstance(node, dict):
        for key, value in node.get("properties", {}).items() if isinstance(node.get("properties"), dict) else ():
            yield f"{place}.{key}", value
        for key, value in node.items():
            yield from properties(value, f"{place}.{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from properties(value, f"{place}[{index}]")


def test_every_field_is_described(schema):
    """By itself, by the definition it refers to, or by being one constant."""
    for place, field in properties(schema):
        if "$ref" in field:
            field = field | schema["$defs"][field["$ref"].rpartition("/")[2]]
        assert "const" in field or field.get("description", "").strip(), f"{place} has no description"


def test_every_definition_is_used(schema):
    """By another one, or by journal_line, which readers of a journal start from."""
    used = set(re.findall(r'"#/\$defs/(\w+)"', json.dumps(schema))) | {"journal_line"}
    assert set(schema["$defs"]) == used


def test_the_waits_are_those_of_the_program(schema):
    header = (Path(__file__).parent.parent / "harness" / "case.h").read_text(encoding="utf-8")
    body = re.search(r"enum class Wait[^{]*\{(.*?)\};", header, re.DOTALL)[1]
    waits = re.findall(r"^\s*(\w+),", body, re.MULTILINE)
    assert schema["$defs"]["case"]["properties"]["send_wait"]["enum"] == waits
    assert schema["$defs"]["case"]["properties"]["receive_wait"]["enum"] == waits
