"""ci/setup installs what is missing, asks for nothing when nothing is, and explains itself in one line otherwise."""
import os
import re
import subprocess
from pathlib import Path

import pytest

SETUP = Path(__file__).resolve().parent / "setup"
TRANSPORTS = SETUP.parent.parent / "transports"
BASIC = re.search(r"^packages=\(\n(.*?)^\)", SETUP.read_text(), re.S | re.M)[1].split()
EXTRAS = sorted(set(re.findall(r"^// Extra: .*Debian package (\S+)\)$", "".join(p.read_text() for p in TRANSPORTS.glob("*.cpp")), re.M)))
PACKAGES = BASIC + EXTRAS


@pytest.fixture
def machine(tmp_path):
    """A PATH with a dpkg-query that knows `installed` and an apt-get that writes its arguments to a file."""

    class Machine:
        calls = tmp_path / "calls"

        def program(self, name, text):
            path = tmp_path / "bin" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text("#!/bin/bash\n" + text)
            path.chmod(0o755)

        def run(self, *arguments, installed, user=0, **environment):
            lines = "\n".join(f"installed {name}" for name in installed)
            self.program("dpkg-query", f"cat <<'END'\n{lines}\nEND\n")
            self.program("apt-get", f'echo "$@" >> {self.calls}\n')
            script = SETUP.read_text().replace("EUID", str(user)) if user else SETUP.read_text()
            copy = tmp_path / "ci" / "setup"
            copy.parent.mkdir(exist_ok=True)
            copy.write_text(script)
            return subprocess.run(
                ["/bin/bash", copy, *arguments],
                env={"PATH": str(tmp_path / "bin"), **environment},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=60,
            )

        def apt_calls(self):
            return self.calls.read_text().splitlines() if self.calls.exists() else []

    box = Machine()
    (tmp_path / "transports").symlink_to(TRANSPORTS)
    for tool in ("sed", "grep", "cat", "env", "dirname", "readlink", "sort"):
        (path,) = [p for p in (Path("/usr/bin") / tool, Path("/bin") / tool) if p.exists()][:1]
        box.program(tool, f'exec {path} "$@"\n')
    return box


root_only = pytest.mark.skipif(os.geteuid() != 0, reason="shows what root's call does")


def test_with_everything_there_apt_is_not_called(machine):
    result = machine.run(installed=PACKAGES)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert machine.apt_calls() == []


@root_only
def test_only_what_is_missing_is_installed(machine):
    result = machine.run(installed=[name for name in PACKAGES if name not in ("cmake", "libfmt-dev")])
    assert result.returncode == 0, result.stderr
    update, install = machine.apt_calls()
    assert update.split()[-1] == "update"
    assert install.split()[-2:] == ["cmake", "libfmt-dev"]


def test_what_single_transports_need_is_wanted_unless_minimal(machine):
    assert EXTRAS
    without = machine.run(installed=BASIC, user=1000)
    assert without.returncode == 0, "the other transports do without"
    assert without.stderr == f"ci/setup: needs root, or sudo, to install: {' '.join(EXTRAS)}; what needs them is not built\n"
    for minimal in (machine.run("--minimal", installed=BASIC), machine.run(installed=BASIC, IPCMARK_MINIMAL="1")):
        assert (minimal.returncode, minimal.stderr) == (0, "")
    assert machine.apt_calls() == []


@root_only
def test_what_single_transports_need_is_installed_by_a_call_of_its_own(machine):
    assert machine.run(installed=[name for name in BASIC if name != "cmake"]).returncode == 0
    update, needed, wanted = machine.apt_calls()
    assert needed.split()[-1] == "cmake"
    assert wanted.split()[-len(EXTRAS) :] == EXTRAS


def test_a_tree_in_which_no_transport_needs_more_is_content(machine, tmp_path):
    (tmp_path / "transports").unlink()
    (tmp_path / "transports").mkdir()
    (tmp_path / "transports" / "pipe.cpp").write_text("// needs nothing\n")
    result = machine.run(installed=BASIC)
    assert (result.returncode, result.stderr) == (0, "")


@root_only
def test_a_browser_is_installed_only_when_asked_for(machine):
    assert machine.run("--browser", installed=PACKAGES).returncode == 0
    assert machine.apt_calls()[-1].split()[-1] == "chromium"


def test_without_rights_one_line_names_what_is_missing(machine):
    result = machine.run(installed=[name for name in PACKAGES if name != "cmake"], user=1000)
    assert result.returncode == 2
    assert result.stderr == "ci/setup: needs root, or sudo, to install: cmake\n"


def test_a_sudo_that_asks_without_a_terminal_is_explained(machine):
    machine.program("sudo", "exit 1\n")
    result = machine.run(installed=[name for name in PACKAGES if name != "cmake"], user=1000)
    assert result.returncode == 2
    assert result.stderr.startswith("ci/setup: sudo asks for a password")
    assert machine.apt_calls() == []


def test_an_unknown_argument_is_refused(machine):
    result = machine.run("--everything", installed=PACKAGES)
    assert result.returncode == 2
    assert "--browser" in result.stderr
