"""The transport that README.md invites to paste is the one that transports/newcomer_test.cpp compiles and tests."""
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_the_readme_shows_the_example_that_is_compiled():
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## Adding a transport\n")[1].split("\n## ")[0]
    shown = re.findall(r"^```cpp\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    source = (ROOT / "transports" / "newcomer_test.cpp").read_text(encoding="utf-8")
    compiled = re.findall(r"^// \[example\]\n(.*?)^// \[/example\]$", source, re.DOTALL | re.MULTILINE)
    assert shown == compiled
    assert len(compiled) == 1 and "IPCMARK_TRANSPORT(" in compiled[0]
