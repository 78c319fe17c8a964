"""Temporary files of a test session go away with it."""

import shutil
import signal
import tempfile

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    if config.option.basetemp is None:
        config.option.basetemp = config.ipcmark_basetemp = tempfile.mkdtemp(prefix="ipcmark-pytest-")
        # `timeout` and CTest end a session so; as an interruption it still cleans up.
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_unconfigure(config):
    if hasattr(config, "ipcmark_basetemp"):
        shutil.rmtree(config.ipcmark_basetemp, ignore_errors=True)
