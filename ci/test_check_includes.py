"""ci/check_includes finds every kind of forbidden include, and leaves the allowed ones alone."""
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent

TREE = {
    "harness/case.h": "#include <string>\n",
    "harness/contract.h": '#include "harness/case.h"\n',
    "harness/placement.cpp": '#include <hwloc.h>\n#include "harness/case.h"\n',
    "harness/placement_test.cpp": "#include <hwloc.h>\n",
    "harness/command/runner.cpp": '#include <benchmark/benchmark.h>\n#include "results/write.h"\n#include "workloads/stream.h"\n',
    "harness/command/runner.h": '#include "harness/contract.h"\n',
    "results/write.h": '#include "harness/case.h"\n',
    "results/write.cpp": '#include <nlohmann/json.hpp>\n#include "results/write.h"\n',
    "transports/fifo.cpp": '#include "workloads/stream.h"\n#include "harness/contract.h"\n',
    "transports/pipe.cpp": '#include "harness/contract.h"\n',
    "transports/shared.h": "#pragma once\n",
    "workloads/stream.h": '#include "harness/contract.h"\n',
}


def run(root):
    return subprocess.run(
        [sys.executable, HERE / "check_includes", root], capture_output=True, text=True, timeout=60
    )


@pytest.fixture
def tree(tmp_path):
    for name, text in TREE.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_a_tree_that_keeps_the_rules_passes(tree):
    result = run(tree)
    assert result.returncode == 0, result.stdout
    assert result.stdout == f"{len(TREE)} files looked at, 0 violations\n"


def test_this_tree_keeps_the_rules():
    result = run(HERE.parent)
    assert result.returncode == 0, result.stdout


def test_a_tree_without_any_file_fails(tmp_path):
    assert run(tmp_path).returncode == 1


@pytest.mark.parametrize(
    "file, include, said",
    [
        ("transports/pipe.cpp", '"transports/shared.h"', "transports never include each other"),
        ("transports/pipe.cpp", '"results/write.h"', "transports/ may include only"),
        ("transports/pipe.cpp", '"harness/command/runner.h"', "transports/ may include only"),
        ("transports/pipe.cpp", "<nlohmann/json.hpp>", "only results/*.cpp"),
        ("workloads/stream.h", '"transports/shared.h"', "workloads/ may include only"),
        ("workloads/stream.h", '"results/write.h"', "workloads/ may include only"),
        ("workloads/stream.h", "<hwloc.h>", "only harness/placement*"),
        ("harness/contract.h", '"workloads/stream.h"', "harness/ may include only"),
        ("harness/contract.h", '"results/write.h"', "harness/ may include only"),
        ("harness/contract.h", '"transports/shared.h"', "harness/ may include only"),
        ("harness/contract.h", '"harness/command/runner.h"', "harness/ may include only"),
        ("harness/contract.h", "<hwloc/glibc-sched.h>", "only harness/placement*"),
        ("harness/contract.h", "<benchmark/benchmark.h>", "runner* and reporter*"),
        ("harness/command/runner.cpp", '"transports/shared.h"', "harness/command/ may include only"),
        ("harness/command/runner.cpp", "<nlohmann/json.hpp>", "only results/*.cpp"),
        ("harness/command/runner.cpp", "<hwloc.h>", "only harness/placement*"),
        ("results/write.h", '"harness/contract.h"', "plain structs"),
        ("results/write.h", '"workloads/stream.h"', "results/ may include only"),
        ("results/write.h", "<nlohmann/json.hpp>", "only results/*.cpp"),
        ("results/write.cpp", "<benchmark/benchmark.h>", "runner* and reporter*"),
        ("harness/contract.h", '"case.h"', "from the root of the tree"),
    ],
)
def test_a_forbidden_include_is_named_with_its_line(tree, file, include, said):
    path = tree / file
    path.write_text(path.read_text() + f"#  include {include}  // why not\n")
    line = len(path.read_text().splitlines())

    result = run(tree)

    assert result.returncode == 1
    assert result.stdout.startswith(f"{file}:{line}: {include[1:-1]}: ")
    assert said in result.stdout
    assert result.stdout.endswith(" 1 violations\n")


@pytest.mark.parametrize(
    "code, said",
    [
        ("std::vector<int> ages;", "std::vector needs #include <vector>"),
        ("int least(int a) { return std::ranges::min({a, 1}); }", "std::ranges needs #include <algorithm>"),
        ('auto text = fmt::format("{}", 1);', "fmt:: needs #include <fmt/format.h>"),
        ('auto both = R"(/*)" + std::to_string(1); std::optional<int> age;', "std::optional needs #include <optional>"),
    ],
)
def test_a_name_whose_header_is_not_included_is_told_with_the_header(tree, code, said):
    path = tree / "transports/pipe.cpp"
    path.write_text(path.read_text() + '\nconst char* raw = R"(\nstd::map\n)";\n' + code + "\n" + code + "\n")

    result = run(tree)

    assert result.returncode == 1
    assert result.stdout == f"transports/pipe.cpp:6: {said}\n{len(TREE)} files looked at, 1 violations\n"


def test_a_header_is_included_by_the_headers_of_the_tree_that_a_file_includes(tree):
    path = tree / "transports/pipe.cpp"  # harness/contract.h, which includes harness/case.h, which includes <string>
    path.write_text(path.read_text() + "std::string name;\n")
    assert run(tree).returncode == 0


def test_what_comments_and_strings_name_needs_no_header(tree):
    path = tree / "transports/pipe.cpp"
    path.write_text(path.read_text() + '// a std::vector\nconst char* text = "std::map \\" std::set"; // std::span\n')
    assert run(tree).returncode == 0
