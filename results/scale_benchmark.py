#!/usr/bin/env python3
"""How `ipcmark compare` fares with many large files: makes them, compares half of them with the other half, and prints
what it read for each second of processor time, and the most memory it held.

    results/scale_benchmark.py BINARY [--files 1000] [--cases 200] [--launches 10] [--distinct 10]

The files lie in a temporary folder while it runs. A few are written, of about 3.4 KiB a launch, as those of a real run;
the rest are further names of these, so that they come out of memory and not from a disk.
"""

import argparse
import copy
import json
import os
import random
import sys
import tempfile
from pathlib import Path

GALLERY = Path(__file__).resolve().parent / "gallery" / "2-core-kvm" / "quick.json"


def write_file(path: Path, template: dict, cases: int, launches: int, seed: int) -> None:
    """As the program lays it out: one launch a line. Every figure that compare reads is drawn anew."""
    randomly = random.Random(seed)
    record = next(r for r in template["benchmarks"] if r["ipcmark"]["case"]["workload"] == "ping_pong")
    header = {key: template["ipcmark"][key] for key in ("schema_version", "version", "run", "machine")}
    with path.open("w") as out:
        out.write(f'{{"context": {json.dumps(template["context"])},\n"benchmarks": [')
        for number in range(cases * launches):
            size = number % cases + 1
            launch = copy.copy(record)
            own = launch["ipcmark"] = copy.copy(record["ipcmark"])
            launch["name"] = launch["run_name"] = _with_size(record["name"], size)
            own["case"] = record["ipcmark"]["case"] | {"message_bytes": size}
            factor = randomly.lognormvariate(0, 0.04)
            own["span_ns"] = int(own["messages"] * 8000 * factor)
            cpu_ns = int(own["messages"] * 3000 * factor)
            own["roles"] = [role | {"cost": role["cost"] | {"cpu_ns": cpu_ns}} for role in own["roles"]]
            own["distribution"] = record["ipcmark"]["distribution"] | {"p50_ns": 7900 * factor, "p99_ns": 14000 * factor}
            own["verdict"] = {"grade": "ok", "reasons": ["nothing disturbed it"]}
            out.write(f'{"," if number else ""}\n    {json.dumps(launch, separators=(",", ":"))}')
        out.write(f'\n],\n"ipcmark": {json.dumps(header | {"cases": [], "failures": [], "skipped": []})}}}\n')


def _with_size(case_id: str, size: int) -> str:
    fields = [f"size:{size}" if field.startswith("size:") else field for field in case_id.split("/")]
    return "/".join(fields)


def measure(words: list[str]) -> tuple[float, float]:
    """Processor seconds and the most MiB of memory of one program."""
    with open(os.devnull, "w") as nothing:
        child = os.posix_spawn(words[0], words, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, nothing.fileno(), 1)])
    _, status, usage = os.wait4(child, 0)
    if status != 0:
        sys.exit(f"{' '.join(words)}: ended with {status}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", help="the program, as build/release/ipcmark")
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--launches", type=int, default=10)
    parser.add_argument("--distinct", type=int, default=10)
    options = parser.parse_args()
    template = json.loads(GALLERY.read_text())
    with tempfile.TemporaryDirectory(prefix="ipcmark-scale-") as scratch:
        written = [Path(scratch) / f"{number}.json" for number in range(min(options.distinct, options.files))]
        for number, path in enumerate(written):
            write_file(path, template, options.cases, options.launches, number)
        print(f"{options.cases} cases x {options.launches} launches, {written[0].stat().st_size / 1e6:.1f} MB a file")
        print(f"{'files':>6} {'MB':>8} {'CPU s':>8} {'MB/s':>8} {'MiB':>8}")
        for share in (4, 2, 1):
            files = options.files // share
            sides = [Path(scratch) / f"{side}-of-{files}" for side in ("base", "new")]
            size = 0
            for side in sides:
                side.mkdir()
            for number in range(files):
                source = written[number % len(written)]
                os.link(source, sides[number % 2] / f"{number}.json")
                size += source.stat().st_size
            seconds, memory = measure([str(Path(options.binary).resolve()), "compare", *map(str, sides), "--json"])
            print(f"{files:>6} {size / 1e6:>8.0f} {seconds:>8.2f} {size / 1e6 / seconds:>8.0f} {memory:>8.0f}", flush=True)


if __name__ == "__main__":
    main()
