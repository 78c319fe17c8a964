"""Sample files, written by the C++ writer itself: results_test puts them where IPCMARK_SAMPLE_DIRECTORY says."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def _results_test() -> Path:
    """IPCMARK_RESULTS_TEST, else beside IPCMARK_BINARY, else the one built last under build*/."""
    if named := os.environ.get("IPCMARK_RESULTS_TEST"):
        return Path(named)
    if binary := os.environ.get("IPCMARK_BINARY"):
        return Path(binary).with_name("results_test")
    built = [*ROOT.glob("build*/results_test"), *ROOT.glob("build*/*/results_test")]
    if not built:
        pytest.fail("results_test is not built: build it under build/, or name it in IPCMARK_RESULTS_TEST")
    return max(built, key=lambda path: path.stat().st_mtime)


@pytest.fixture(scope="session")
def samples():
    """A directory of sample files: base, slower, interrupted, unfinished.json.journal, statistics and two_samples."""
    with tempfile.TemporaryDirectory(prefix="ipcmark-samples-") as directory:
        subprocess.run(
            [_results_test(), "--gtest_filter=*.GivesOtherReadersSamples"],
            env=os.environ | {"IPCMARK_SAMPLE_DIRECTORY": directory},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        yield Path(directory)


@pytest.fixture(scope="session")
def schema() -> dict:
    return json.loads((ROOT / "results" / "schema.json").read_text(encoding="utf-8"))
