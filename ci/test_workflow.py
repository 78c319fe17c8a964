"""The workflow that users copy is valid YAML, runs scripts that exist, and keeps what they write."""
import os
import re
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml", reason="python3-yaml is not installed")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def steps():
    workflow = yaml.safe_load((ROOT / "ci/workflow-github.yml").read_text())
    (job,) = workflow["jobs"].values()
    return job["steps"]


def test_every_script_it_runs_is_in_the_tree_and_executable(steps):
    scripts = [word for step in steps for word in re.findall(r"ipcmark/(ci/\S+)", step.get("run", ""))]
    assert scripts
    for script in scripts:
        assert os.access(ROOT / script, os.X_OK), script


def test_what_is_uploaded_is_what_ci_bench_writes_and_is_kept_after_a_failure(steps):
    (upload,) = [step for step in steps if step.get("uses", "").startswith("actions/upload-artifact")]
    assert upload["if"] == "always()"
    assert f'results=$PWD/{upload["with"]["path"]}\n' in (ROOT / "ci/bench").read_text()


def test_the_suite_it_names_is_in_the_tree(steps):
    workflow = yaml.safe_load((ROOT / "ci/workflow-github.yml").read_text())
    suite = workflow["jobs"]["measure"]["env"]["SUITE"]
    assert (ROOT / "workloads/suites" / f"{suite}.json").is_file()
