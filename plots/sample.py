#!/usr/bin/python3
"""Invents result files for the tests of the plots. Nothing in them was measured, and they say so.

sample.py SHAPE -o FILE [--seed N] [--journal]
"""

import argparse
import json
import sys
from pathlib import Path

import numpy

from figures import WAITS

TRANSPORTS = {  # round trip asleep in ns, one-way cost of a message in ns, of a byte in ns
    "null": (60, 9, 0.07),
    "pipe": (9_800, 640, 0.16),
    "fifo": (10_100, 655, 0.16),
    "posix_mq": (11_900, 980, 0.30),
    "sysv_mq": (11_200, 870, 0.33),
    "posix_shm": (8_700, 14, 0.09),
    "sysv_shm": (8_800, 14.4, 0.09),
    "unix_stream": (11_600, 900, 0.17),
    "unix_dgram": (12_300, 1_060, 0.20),
    "unix_seqpacket": (12_100, 1_040, 0.20),
    "tcp": (24_500, 1_500, 0.21),
}
SHARED_MEMORY_WAITS = tuple(wait for wait in WAITS if wait not in ("block", "poll", "epoll"))
SHARED_MEMORY = ("posix_shm", "sysv_shm")
DESCRIPTOR_WAITS = ("block", "poll", "epoll", "spin", "yield")
MESSAGE_QUEUES = ("posix_mq", "sysv_mq")
LARGEST_QUEUED = 8192
ROUND_TRIP_SPINNING = {"posix_shm": 420, "sysv_shm": 424}
PLACEMENT_FACTOR = {"same_pu": 0.42, "same_l3": 1.0, "unpinned": 1.3}
STARTED = "2024-03-09T14:26:53+01:00"
FURTHER = (
    *("rendezvous", "overflow", "delivery", "burst", "reply_bytes", "work", "stages", "pairs", "hops", "filter"),
    *("mix", "rate", "arrivals", "p99_bound", "gap", "caches"),
)
SHAPES = (
    *("quick", "one_case", "one_launch", "all_skipped", "failures", "verdicts", "long_skips", "odd", "raised", "further"),
    *("mixes", "load", "placement"),
)


def case(workload, transport, size=64, *, wait="block", access="copy", placement="same_l3", capacity="default", **other):
    send_wait, _, receive_wait = wait.partition("+")
    send_access, _, receive_access = access.partition("+")
    return {
        "workload": workload,
        "transport": transport,
        "message_bytes": size,
        "capacity": str(capacity),
        "send_wait": send_wait,
        "receive_wait": receive_wait or send_wait,
        "send_access": send_access,
        "receive_access": receive_access or send_access,
        "placement": placement,
        "senders": 1,
        "receivers": 1,
        "touch": "full",
        "limits": "host",
        "sched": "other",
    } | other


def case_id(c):
    def both(send, receive):
        return send if send == receive else f"{send}+{receive}"

    words = {
        "workload": c["workload"],
        "transport": c["transport"],
        "size": c["message_bytes"],
        "capacity": c["capacity"],
        "wait": both(c["send_wait"], c["receive_wait"]),
        "access": both(c["send_access"], c["receive_access"]),
        "placement": c["placement"],
        "senders": c["senders"],
        "receivers": c["receivers"],
        "touch": c["touch"],
        "limits": c["limits"],
        "sched": c["sched"],
    }
    words |= {key: value for key, value in c.items() if key in FURTHER}
    return "/".join(f"{key}:{value}" for key, value in words.items())


def encode_histogram(samples):
    """Apart from results.py on purpose: the tests compare the two."""
    values = numpy.asarray(samples, dtype=numpy.uint64)
    if not len(values):
        return "h1;0;0;0;0;"
    shift = numpy.maximum(numpy.floor(numpy.log2(numpy.maximum(values, 1))).astype(int) - 7, 0)
    index = numpy.where(values < 256, values, (shift << 7) + (values >> shift.astype(numpy.uint64)).astype(int))
    buckets, counts = numpy.unique(index.astype(int), return_counts=True)
    words = [
        f"{distance}x{times}" if times > 1 else f"{distance}"
        for distance, times in zip(numpy.diff(buckets, prepend=0), counts)
    ]
    return f"h1;{len(values)};{values.min()};{values.max()};{int(values.sum())};{' '.join(words)}"


def spins(c):
    return c["send_wait"] in ("spin", "yield", "adaptive")


def gap_factor(c):
    """Longer the longer the receiver slept: 1 at 1 us, 6 at 100 ms."""
    number = c["gap"].rstrip("mus")
    return 1 + numpy.log10(int(number) * {"us": 1, "ms": 1000}[c["gap"][len(number) :]])


LARGE = [  # a machine of two packages of two L3 caches of two cores of two threads
    {"logical_index": i, "os_index": i, "core": i // 2, "l2": i // 2, "l3": i // 4, "package": i // 8, "numa_node": i // 8, "kind": ""}
    for i in range(16)
]


def distance(placement):
    """How much longer than within an L3 cache, of "3+9" on the large machine."""
    a, b = (LARGE[int(word)] for word in placement.split("+"))
    shares = next((level for level in ("logical_index", "core", "l3", "package") if a[level] == b[level]), None)
    return {"logical_index": 0.42, "core": 0.6, "l3": 1.0, "package": 1.7, None: 2.9}[shares]


def expected_ns(c):
    """What the model says of a case: ns per message, or the median RTT of a ping-pong."""
    asleep, message_ns, byte_ns = TRANSPORTS.get(c["transport"], (20_000, 2_000, 0.4))
    between = distance(c["placement"]) if "+" in c["placement"] else None
    factor = between or PLACEMENT_FACTOR.get(c["placement"], 1.5)
    if c["workload"] == "ping_pong":
        base = asleep * factor
        if spins(c):
            base = ROUND_TRIP_SPINNING.get(c["transport"], asleep * 0.55) * (between or 1)
        return base + 2 * byte_ns * c["message_bytes"]
    if c["workload"] == "paced":
        return asleep * factor * 0.4 / max(0.02, 1 - int(c["rate"].rstrip("%")) / 101)
    if c["workload"] == "idle_gap":
        woken = 90 if spins(c) else asleep * factor * 0.4 * gap_factor(c)
        return woken * (1.6 if "caches" in c else 1)
    held = fits(c)["max"] if fits(c) else 64
    waiting = 0 if spins(c) or c["transport"] == "null" else asleep * factor / (2 * max(held, 1))
    copies = 0.55 if c["send_access"] == "loan" else 1.0
    return message_ns * (2 if spins(c) else 1) + waiting + copies * byte_ns * c["message_bytes"]


def fits(c):
    size, asked = c["message_bytes"], c["capacity"]
    if asked == "0":
        return {"min": 0, "max": 0, "lower_bound": False}
    if asked == "unbounded":
        return {"min": 65536, "max": 65536, "lower_bound": True}
    if c["transport"] in ("pipe", "fifo"):
        pages = max(1, -(-int(asked) * size // 4096)) if asked.isdigit() else 16
        count = max(1, pages * 4096 // size)
        return {"min": count, "max": count, "lower_bound": False}
    if c["transport"] in SHARED_MEMORY:
        count = int(asked) if asked.isdigit() else 1024
        return {"min": count, "max": count, "lower_bound": False}
    if c["transport"] in MESSAGE_QUEUES:
        count = 10 if c["transport"] == "posix_mq" else max(1, 16384 // size)
        return {"min": count, "max": count, "lower_bound": False}
    if c["transport"] == "tcp":
        return {"min": 60_412, "max": 65_536, "lower_bound": True}
    if c["transport"].startswith("unix"):
        count = max(1, 212_992 // (size + 702))
        return {"min": count, "max": count, "lower_bound": False}
    return None


def limit(c):
    if c["transport"] in ("pipe", "fifo"):
        return {"value": 65536, "unit": "bytes", "source": "F_GETPIPE_SZ"}
    if c["transport"] in SHARED_MEMORY:
        return {"value": fits(c)["max"], "unit": "messages", "source": "ring slots"}
    if c["transport"] == "posix_mq":
        return {"value": 10, "unit": "messages", "source": "mq_getattr"}
    if c["transport"] == "sysv_mq":
        return {"value": 16384, "unit": "bytes", "source": "msg_qbytes"}
    if c["transport"].startswith("unix"):
        return {"value": 212_992, "unit": "charge", "source": "SO_SNDBUF"}
    return None


def distribution_around(typical, of, samples, rng):
    times = typical * rng.lognormal(0, 0.06, samples)
    late = rng.random(samples) < 0.015
    times[late] *= rng.uniform(2, 9, late.sum())
    values = numpy.maximum(times, 1).astype(int)
    ordered = numpy.sort(values)

    def percentile(fraction):
        rank = max(1, int(numpy.ceil(fraction * samples - 1e-6)))
        return float(ordered[rank - 1]) if samples - rank >= 100 else None

    return {
        "of": of,
        "messages_per_sample": 1,
        "count": samples,
        "min_ns": int(values.min()),
        "max_ns": int(values.max()),
        "mean_ns": float(values.mean()),
        "p50_ns": percentile(0.5),
        "p90_ns": percentile(0.9),
        "p99_ns": percentile(0.99),
        "p999_ns": percentile(0.999),
        "histogram": encode_histogram(values),
    }


def launch(c, round_, order, rng, samples, grade="ok", reasons=("quiet",)):
    typical = expected_ns(c) * rng.lognormal(0, 0.025 if grade == "ok" else 0.3)
    ping_pong = c["workload"] == "ping_pong"
    distribution, further = None, []
    if c["workload"] in SAMPLED:
        distribution = distribution_around(typical, SAMPLED[c["workload"]], samples, rng)
        messages, span_ns = samples, int(distribution["mean_ns"] * samples)
        if c["workload"] == "paced":
            further = [
                distribution_around(share * typical, of, samples, rng) for of, share in (("service_ns", 0.3), ("send_lag_ns", 0.7))
            ]
    else:
        messages = max(1000, int(1e8 / typical))
        span_ns = int(messages * typical)
    span_ns = max(span_ns, 1)
    payload = messages * c["message_bytes"] * (2 if ping_pong else 1)
    busy = 1.9 if spins(c) else 0.8
    return {
        "name": case_id(c),
        "run_name": case_id(c),
        "run_type": "iteration",
        "threads": 1,
        "iterations": messages,
        "real_time": span_ns / messages,
        "cpu_time": span_ns / messages * busy,
        "time_unit": "ns",
        "items_per_second": messages * 1e9 / span_ns,
        "bytes_per_second": payload * 1e9 / span_ns,
        "ipcmark": {
            "round": round_,
            "order": order,
            "started": STARTED,
            "case": c,
            "capacity": {
                "asked": c["capacity"],
                "limit": limit(c),
                "fits": fits(c),
                "resume_after": 64 if c["transport"] in ("pipe", "fifo") else None,
                "note": "" if fits(c) else "not probed: it never fills",
            },
            "isolation": "pid+ipc+mount namespaces",
            "messages": messages,
            "warm_up_messages": 100,
            "span_ns": span_ns,
            "bytes": payload,
            "cache_line_round_trip_ns": 130.0,
            "roles": [
                {
                    "role": name,
                    "asked_pus": [pu],
                    "granted_pus": [pu],
                    "last_os_processor": pu,
                    "numa_node": 0,
                    "scheduler": "other",
                    "memory_bound": True,
                    "memory_locked": True,
                    "messages": messages,
                    **({"empty_tries": 3 * messages} if spins(c) else {}),
                    **({"work_done": 2 * messages} if "work" in c and spins(c) else {}),
                    "cost": {
                        "cpu_ns": int(span_ns * busy / 2),
                        "voluntary_switches": 0 if spins(c) else messages,
                        "involuntary_switches": 1,
                        "minor_faults": 0,
                        "major_faults": 0,
                        "run_delay_ns": 1200,
                    },
                }
                for pu, name in enumerate(("sender 0", "receiver 1"))
            ],
            "integrity": {
                "lost": 0,
                "duplicated": 0,
                "reordered": 0,
                "corrupted": 0,
                "checked": messages,
                "every_byte": False,
                "detection_limit": 0,
            },
            "verdict": {"grade": grade, "reasons": list(reasons)},
            **({"observations": observations(c, rng)} if c["workload"] in OBSERVED else {}),
            **({"distributions": further} if further else {}),
            "distribution": distribution,
        },
    }


SAMPLED = {
    "ping_pong": "round_trip_ns",
    "client_server": "call_ns",
    "burst": "sender_wait_ns",
    "cross": "exchange_ns",
    "setup": "cycle_ns",
    "paced": "response_ns",
    "idle_gap": "one_way_ns",
}
OBSERVED = {  # name, unit, about
    "duplex": (("from_0_to_1", "messages_per_second", 1.5e6), ("share_from_0_to_1", "ratio", 0.5)),
    "pairs": (("slowest_pair", "messages_per_second", 1.1e6), ("jain_index", "ratio", 0.99)),
    "burst": (("bursts", "bursts", 2757.5), ("delivered_after_exit", "messages", 4)),
    "cross": (),
    "pipeline": (("serial_ns_per_message", "ns", 37.3), ("speedup", "ratio", 0.04)),
    "setup": (("create_ns", "ns, median", 2287), ("open_ns", "ns, median", 150_418)),
    "state": (("torn", "reads", 0), ("staleness", "updates", 503)),
    "paced": (("saturation", "messages_per_second", 1e6),),
    "gossip": (("rumours_<b>", "rumours", 7),),
}


def observations(c, rng):
    found = [
        {"name": name, "unit": unit, "value": value * rng.lognormal(0, 0.02)} for name, unit, value in OBSERVED[c["workload"]]
    ]
    if c["workload"] == "cross":
        fits = c["burst"] <= 16
        found.append({"name": "completed", "unit": "ratio", "value": float(fits)})
        if not fits:
            found.append({"name": "deadlock_after", "unit": "messages", "value": 32.0})
    if c["workload"] == "paced":
        offered = found[0]["value"] * int(c["rate"].rstrip("%")) / 100
        found.append({"name": "offered", "unit": "messages_per_second", "value": offered})
        found.append({"name": "achieved", "unit": "messages_per_second", "value": offered * 0.999})
    if c["workload"] == "setup":
        found.append({"name": "opened_by_fork", "unit": "1: yes", "value": float(c["transport"] == "pipe")})
    return found


def further_cases():
    cases = []
    for transport, waits, hops in (
        ("pipe", DESCRIPTOR_WAITS, "pipe+posix_shm"),
        ("posix_shm", SHARED_MEMORY_WAITS, "posix_shm+pipe"),
    ):
        cases += [case(workload, transport, wait=wait) for workload in ("ping_pong", "stream") for wait in waits]
        cases += [
            case(workload, transport, wait=waits[0]) for workload in OBSERVED if workload not in ("pairs", "burst", "cross", "paced")
        ]
        cases += [case("pairs", transport, wait=waits[0], pairs=pairs) for pairs in (1, 2, 4)]
        cases += [case("burst", transport, wait=waits[0], capacity=16, burst=burst) for burst in (4, 64)]
        cases += [case("cross", transport, wait=waits[0], capacity=16, burst=burst) for burst in (16, 17)]
        cases += [case("client_server", transport, wait=waits[0], senders=4, reply_bytes=1024)]
        cases += [case("mailbox", transport, size, wait="spin", receivers=8) for size in (64, 4096)]
        cases += [case("pipeline", transport, wait="spin", stages=2, work=100, hops=hops)]
    return cases


LOADS = (5, 20, 50, 80, 95, 120)
GAPS = ("1us", "10us", "100us", "1ms", "10ms", "100ms")


def load_cases():
    """Load curves, of which some do not bear the heaviest, and idle gaps of every wait."""
    lines = (("pipe", "block"), ("unix_stream", "block"), ("tcp", "block"), ("posix_shm", "futex"), ("posix_shm", "spin"))
    cases = [
        case("paced", transport, wait=wait, rate=f"{load}%", arrivals="poisson", p99_bound="100us")
        for transport, wait in lines
        for load in LOADS
    ]
    cases += [case("idle_gap", "posix_shm", wait=wait, gap=gap) for wait in SHARED_MEMORY_WAITS for gap in GAPS]
    cases += [case("idle_gap", "posix_shm", wait=wait, gap=gap, caches="cold") for wait in ("futex", "spin") for gap in GAPS]
    return cases


def placement_cases():
    """Every two processors of the large machine."""
    cases, skipped = [], []
    for transport, waits in (("pipe", ("block", "spin")), ("posix_shm", ("futex", "spin"))):
        for wait in waits:
            for a in range(len(LARGE)):
                for b in range(a, len(LARGE)):
                    c = case("ping_pong", transport, wait=wait, placement=f"{a}+{b}")
                    if a == b and wait == "spin":
                        skipped.append((c, "both roles spin on one processing unit; use yield, or another placement"))
                    else:
                        cases.append(c)
    return cases, skipped


def mixes_cases():
    """Mixes beside the sizes that they are made of, and apart from these."""
    cases = [case(w, name, size) for w in ("ping_pong", "stream") for name in ("pipe", "posix_mq") for size in (64, 4096)]
    for mix, largest in (("64:90+4Ki:10", 4096), ("64:99+64Ki:1", 65536)):
        cases += [case(w, name, largest, mix=mix) for w in ("ping_pong", "stream", "duplex") for name in ("pipe", "posix_mq")]
    return cases


def quick_cases():
    cases, skipped = [], []
    for workload in ("ping_pong", "stream"):
        for transport in TRANSPORTS:
            if transport == "null" and workload == "ping_pong":
                continue
            asleep = "futex" if transport in SHARED_MEMORY else "block"
            for size in (64, 1024, 16384, 262144):
                c = case(workload, transport, size, wait=asleep)
                if transport in MESSAGE_QUEUES and size > LARGEST_QUEUED:
                    reason = f"{transport}: {size} B is over this machine's limit of {LARGEST_QUEUED} B; --limits raised"
                    skipped.append((c, reason))
                else:
                    cases.append(c)
            if transport == "null":
                continue
            cases.append(case(workload, transport, 64, wait="spin"))
            cases.append(case(workload, transport, 64, wait=asleep, placement="same_pu"))
            skipped.append((case(workload, transport, 64, wait=asleep, placement="cross_numa"), "cross_numa: one NUMA node"))
        for transport in SHARED_MEMORY:
            for size in (64, 1024, 16384, 262144):
                cases.append(case(workload, transport, size, wait="spin", access="loan"))
            cases.append(case(workload, transport, 64, wait="adaptive"))
        for capacity in (1, 4, 16, 64, 256, 4096):
            cases.append(case(workload, "pipe", 64, capacity=capacity))
            cases.append(case(workload, "posix_shm", 64, wait="spin", capacity=capacity))
            cases.append(case(workload, "posix_shm", 64, wait="futex", capacity=capacity))
        cases.append(case(workload, "pipe", 64, capacity=0, rendezvous="acknowledged"))
        cases.append(case(workload, "posix_shm", 64, wait="futex", capacity=0, rendezvous="native"))
        cases.append(case(workload, "posix_shm", 64, wait="futex", capacity="unbounded"))
    return cases, skipped


def shape_cases(shape):
    if shape == "one_case":
        return [case("ping_pong", "pipe")], []
    if shape == "all_skipped":
        return [], [(case("ping_pong", name), f"{name}: not on this machine") for name in TRANSPORTS]
    if shape == "odd":
        names = ("<script>alert(1)</script>", "quantum & \"tunnel\"", "pipe")
        return [case(w, name, size) for name in names for w in ("ping_pong", "stream") for size in (48, 5000, 3 << 20)], []
    if shape == "raised":
        sizes = (1, 64, 4096, 65536)
        return [
            case(w, name, size, limits=limits, senders=senders)
            for w in ("ping_pong", "stream")
            for name in ("posix_mq", "pipe")
            for size in sizes
            for limits, senders in (("host", 1), ("raised", 1), ("host", 4))
            if not (w == "ping_pong" and senders == 4)
        ], []
    if shape == "further":
        return further_cases(), [(case("state", "tcp"), "tcp: not on this machine")]
    if shape == "mixes":
        return mixes_cases(), []
    if shape == "load":
        return load_cases(), []
    if shape == "placement":
        return placement_cases()
    cases, skipped = quick_cases()
    if shape == "long_skips":
        skipped = [
            (case("stream", "posix_mq", 64 * i), f"posix_mq: {64 * i} B is over this machine's msgsize_max 8192")
            for i in range(129, 429)
        ] + skipped
        cases = cases[:4]
    if shape in ("failures", "verdicts", "one_launch"):
        cases = cases[::3]
    return cases, skipped


def machine(shape):
    if shape == "placement":
        large = machine("quick")
        topology = {"packages": 2, "numa_nodes": 2, "cores": 8, "cpu_model": "Invented CPU 8-Core", "pus": LARGE}
        return large | topology
    name = "<b>lab & \"co\"</b>" if shape == "odd" else "synthetic-host"
    return {
        "fingerprint": "5e1f0c2d9a7b4e63",
        "host_name": name,
        "operating_system": "Synthetic Linux 12 (invented for tests)",
        "kernel": "6.1.0-test-amd64",
        "architecture": "x86_64",
        "cpu_model": "Invented CPU 2-Core",
        "hypervisor": "KVM",
        "cpu_mhz": 2700.0,
        "memory_bytes": 5_597_298_688,
        "packages": 1,
        "numa_nodes": 1,
        "cores": 2,
        "pus": [
            {"logical_index": i, "os_index": i, "core": i, "l2": i, "l3": 0, "package": 0, "numa_node": 0, "kind": ""}
            for i in range(2)
        ],
        "caches": [
            {"type": "Data", "level": 1, "size_bytes": 49152, "sharing_pus": 1},
            {"type": "Instruction", "level": 1, "size_bytes": 65536, "sharing_pus": 1},
            {"type": "Unified", "level": 2, "size_bytes": 2 << 20, "sharing_pus": 1},
            {"type": "Unified", "level": 3, "size_bytes": 480 << 20, "sharing_pus": 2},
        ],
        "mitigations": [
            {"name": "meltdown", "value": "Not affected"},
            {"name": "spectre_v2", "value": "Mitigation: Enhanced / Automatic IBRS; IBPB: conditional; RSB filling"},
        ],
        "settings": [{"name": "governor", "value": "none"}, {"name": "transparent_hugepage", "value": "madvise"}],
        "limits": [
            {"name": "fs.mqueue.msgsize_max", "value": "8192"},
            {"name": "fs.pipe-max-size", "value": "1048576"},
            {"name": "RLIMIT_MEMLOCK", "value": "8 MiB"},
        ],
        "clock": {
            "source": "CLOCK_MONOTONIC (tsc)",
            "step_ns": 1.0,
            "read_ns": 23.4,
            "ordered": True,
            "order_checks": 200_000,
        },
        "floors": {
            "clock_read_ns": 23.4,
            "system_call_ns": 71.9,
            "touch": TOUCH,
            "pus": [
                {"pu": pu, "clock_read_ns": 23.4, "system_call_ns": 71.9, "context_switch_ns": 1_240.0, "touch": TOUCH}
                for pu in (0, 1)
            ],
            "pairs": [{"pus": [0, 1], "cache_line_round_trip_ns": 128.0, "futex_wake_ns": 2_650.0}],
            "note": "",
        },
    }


TOUCH = [
    {"message_bytes": 64, "write_ns": 4.4, "read_ns": 4.4, "memcpy_ns": 2.1},
    {"message_bytes": 1 << 20, "write_ns": 27_000, "read_ns": 34_000, "memcpy_ns": 30_500},
]


def statistic(values):
    """By scipy and numpy, apart from results.py."""
    from scipy.stats import binom

    ordered = numpy.sort(values)
    rank = max((k for k in range(1, len(ordered) + 1) if 1 - 2 * binom.cdf(k - 1, len(ordered), 0.5) >= 0.95), default=0)
    return {
        "median": float(numpy.median(ordered)),
        "low": float(ordered[rank - 1]) if rank else None,
        "high": float(ordered[-rank]) if rank else None,
        "min": float(ordered[0]),
        "max": float(ordered[-1]),
        "launches": len(ordered),
    }


STATISTICS = {
    "ns_per_message": "real_time",
    "messages_per_second": "items_per_second",
    "bytes_per_second": "bytes_per_second",
    "cpu_ns_per_message": "cpu_time",
}


def document(shape="quick", seed=1):
    """The whole result file of one shape as a dict."""
    rng = numpy.random.default_rng(seed)
    cases, skipped = shape_cases(shape)
    rounds = {"one_launch": 1, "one_case": 6}.get(shape, 6)
    samples = 400 if shape in ("odd", "placement") else 12_000
    grades = {}
    if shape == "verdicts":
        for i, c in enumerate(cases):
            if i % 4 == 1:
                spread = "launch-to-launch quartile spread 23.4 % of the median (over 10 %)"
                grades[case_id(c)] = ("noisy", [spread])
            if i % 7 == 3:
                grades[case_id(c)] = ("invalid", ["6 of 6 launches are invalid: clock went backwards <12 times>"])
    if shape == "placement":
        for c in cases:
            if "7" in c["placement"] and c["transport"] == "pipe":
                grades[case_id(c)] = ("noisy", ["launch-to-launch quartile spread 23.4 % of the median (over 10 %)"])
            if c["placement"] == "2+11":
                grades[case_id(c)] = ("invalid", ["6 of 6 launches are invalid: receiver 1 was stopped by a signal"])
    if shape == "load":
        for c in cases:
            if c.get("rate") == "120%":
                grades[case_id(c)] = ("invalid", ["6 of 6 launches are invalid: achieved 83 % of the offered rate"])
    failures = []
    if shape == "failures":
        failures = [
            {
                "id": case_id(c),
                "case": c,
                "round": 2,
                "reason": "receiver 1: killed by signal 9 after 1204 messages",
            }
            for c in cases[::5]
        ]
    failed = {failure["id"] for failure in failures}
    cases = [c for c in cases if case_id(c) not in failed]
    launches = []
    for round_ in range(1, rounds + 1):
        for index in rng.permutation(len(cases)):
            c = cases[index]
            launches.append(launch(c, round_, len(launches) + 1, rng, samples, *grades.get(case_id(c), ())))
    families = {}
    for record in launches:
        families.setdefault(record["name"], []).append(record)
    for family_index, group in enumerate(families.values()):
        for repetition, record in enumerate(group):
            record |= {
                "family_index": family_index,
                "per_family_instance_index": 0,
                "repetitions": len(group),
                "repetition_index": repetition,
            }
    summaries = []
    for name, group in families.items():
        grade, reasons = grades.get(name, ("ok", ["launch-to-launch quartile spread 3.1 % of the median (within 10 %)"]))
        summary = {key: statistic([record[field] for record in group]) for key, field in STATISTICS.items()}
        for key in ("p50_ns", "p99_ns"):
            values = [(record["ipcmark"]["distribution"] or {}).get(key) for record in group]
            if None not in values:
                summary[key] = statistic(values)
        own = group[0]["ipcmark"]
        if own["case"]["workload"] == "ping_pong" and own["case"]["placement"] == "same_l3":
            under = "p50_ns" if "p50_ns" in summary else "ns_per_message"
            multiple = summary[under]["median"] / 5_300
            summary["floor"] = {"under": under, "what": "two wake-ups", "ns": 5_300, "multiple": multiple}
        if "observations" in own:
            summary["observations"] = [
                {"name": seen["name"], "unit": seen["unit"]}
                | statistic([record["ipcmark"]["observations"][i]["value"] for record in group])
                for i, seen in enumerate(own["observations"])
            ]
        summaries.append(
            {
                "id": name,
                "case": own["case"],
                "capacity": own["capacity"],
                "launches": len(group),
                "verdict": {"grade": grade, "reasons": reasons},
                "summary": summary,
            }
        )
    host = machine(shape)
    return {
        "context": {
            "date": STARTED,
            "host_name": host["host_name"],
            "executable": "sample.py",
            "num_cpus": 2,
            "mhz_per_cpu": 2700,
            "cpu_scaling_enabled": False,
            "caches": [],
            "load_avg": [0.1, 0.2, 0.3],
            "library_version": "1.7.1",
            "library_build_type": "release",
            "note": "synthetic test data, nothing here was measured",
        },
        "benchmarks": launches,
        "ipcmark": {
            "schema_version": 1,
            "version": "0.1.0",
            "run": {
                "suite": f"synthetic-{shape}",
                "seed": seed,
                "launches": rounds,
                "min_time_ns": 100_000_000,
                "command_line": ["ipcmark", "run", "--suite", "quick", "-o", "results.json"],
                "started": STARTED,
                "finished": "2024-03-09T14:29:14+01:00",
                "complete": True,
                "interrupted": False,
                "wall_s": 141.2,
                "timed_s": 71.0,
            },
            "machine": host,
            "cases": summaries,
            "failures": failures,
            "skipped": [{"id": case_id(c), "case": c, "reason": reason} for c, reason in skipped],
        },
    }


def journal(whole):
    """The journal that a run ending in this document would have written."""
    own = whole["ipcmark"]
    asked = ("suite", "seed", "launches", "min_time_ns", "command_line", "started")
    lines = [
        {
            "type": "header",
            "schema_version": own["schema_version"],
            "version": own["version"],
            "run": {key: own["run"][key] for key in asked},
            "machine": own["machine"],
            "context": whole["context"],
        }
    ]
    family_fields = ("family_index", "per_family_instance_index", "repetitions", "repetition_index")
    lines += [
        {"type": "launch"} | {key: value for key, value in record.items() if key not in family_fields}
        for record in whole["benchmarks"]
    ]
    lines += [{"type": "failure"} | record for record in own["failures"]]
    lines += [{"type": "skip"} | record for record in own["skipped"]]
    return "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)


def write(path, shape="quick", seed=1, *, as_journal=False):
    whole = document(shape, seed)
    Path(path).write_text(journal(whole) if as_journal else json.dumps(whole, indent=1), encoding="utf-8")
    return whole


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("-o", dest="path", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--journal", action="store_true")
    options = parser.parse_args()
    write(options.path, options.shape, options.seed, as_journal=options.journal)
    return 0


if __name__ == "__main__":
    sys.exit(main())
