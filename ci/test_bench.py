"""ci/bench puts the result file and the report where it says, and passes on arguments and status."""
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent

IPCMARK = """#!/bin/bash
echo "$@" >> "$CALLS"
while (($#)); do
  case $1 in
    run) status=${RUN_STATUS-0} ;;
    report) status=0 ;;
    -o) [[ $status == 2 ]] || touch "$2" ;;
    -o=*) touch "${1#-o=}" ;;
  esac
  shift
done
exit $status
"""


@pytest.fixture
def bench(tmp_path):
    """Calls a copy of ci/bench in a tree that is built already, from another folder."""
    tree, here, tools = tmp_path / "tree", tmp_path / "here", tmp_path / "tools"
    for folder in (tree / "ci", tree / "build/release", here, tools):
        folder.mkdir(parents=True)
    shutil.copy(HERE / "bench", tree / "ci/bench")
    (tree / "build/release/build.ninja").touch()
    for program, text in (
        (tree / "ci/setup", "#!/bin/bash\n"),
        (tree / "build/release/ipcmark", IPCMARK),
        (tools / "cmake", f'#!/bin/bash\necho "$@" >> {tmp_path}/cmake-calls\n'),
    ):
        program.write_text(text)
        program.chmod(0o755)

    def call(*arguments, **environment):
        path = f"{tools}:{os.environ['PATH']}"
        return subprocess.run(
            [tree / "ci/bench", *arguments],
            cwd=here,
            env=os.environ | {"PATH": path, "CALLS": str(tmp_path / "calls")} | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    call.here, call.tree, call.base = here, tree, tmp_path
    call.calls = lambda: (tmp_path / "calls").read_text().splitlines()
    return call


def test_the_last_lines_say_where_the_result_file_and_the_report_are(bench):
    result = bench("--transport", "pipe")
    assert result.returncode == 0, result.stderr
    file, report = [line.split()[-1] for line in result.stdout.splitlines()[-2:]]
    assert re.fullmatch(rf"{bench.here}/ipcmark-results/\d{{8}}T\d{{6}}Z\.json", file) and Path(file).is_file()
    assert report == f"{bench.here}/ipcmark-results/report/index.html"
    assert bench.calls() == [
        f"run --transport pipe -o {file}",
        f"report {file} -o {bench.here}/ipcmark-results/report",
    ]


def test_a_tree_that_is_configured_is_not_configured_again(bench):
    assert bench().returncode == 0
    assert all("--preset" not in line for line in (bench.base / "cmake-calls").read_text().splitlines())


@pytest.mark.parametrize("arguments", [("-o", "mine.json"), ("-o=mine.json",)])
def test_a_result_file_named_by_the_caller_is_taken(bench, arguments):
    result = bench(*arguments)
    assert result.stdout.splitlines()[-2] == "result file  mine.json"
    assert bench.calls()[0] == "run " + " ".join(arguments)


@pytest.mark.parametrize("status", [1, 130])
def test_what_was_measured_is_reported_although_a_case_failed_or_the_run_was_interrupted(bench, status):
    result = bench(RUN_STATUS=str(status))
    assert result.returncode == status
    assert bench.calls()[1].startswith("report ")


def test_bad_arguments_leave_nothing(bench):
    result = bench("--size", "0", RUN_STATUS="2")
    assert result.returncode == 2
    assert len(bench.calls()) == 1
    assert list(bench.here.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_tree_that_cannot_be_written_is_built_in_the_cache(bench):
    (bench.tree / "build/release").chmod(0o555)
    bench(XDG_CACHE_HOME=str(bench.base / "cache"))
    (bench.tree / "build/release").chmod(0o755)
    (build,) = (bench.base / "cache/ipcmark").glob("*/release")
    assert f"--preset release -B {build}" in (bench.base / "cmake-calls").read_text()
