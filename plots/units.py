"""Numbers as a person reads them: three significant digits, and a unit that keeps them between 1 and 1000."""

import math

TIME_UNITS = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns"))
RATE_UNITS = ((1e9, "G/s"), (1e6, "M/s"), (1e3, "k/s"), (1.0, "/s"))
BANDWIDTH_UNITS = ((1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s"), (1.0, "B/s"))
BYTE_UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B"))
MISSING = "–"


def significant(value: float, digits: int = 3) -> str:
    """1234.5 -> '1230', 12.345 -> '12.3', 0.012345 -> '0.0123': never an exponent."""
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    rounded = round(value, digits - 1 - magnitude)
    if rounded and math.floor(math.log10(abs(rounded))) > magnitude:
        magnitude += 1
    return f"{rounded:.{max(0, digits - 1 - magnitude)}f}"


def _scale(value: float, units) -> tuple[float, str]:
    """The largest unit in which the rounded value is at least 1."""
    for factor, unit in units:
        if abs(float(significant(value / factor))) >= 1:
            return factor, unit
    return units[-1]


def scale_of_times(ns: float) -> tuple[float, str]:
    """How many ns its unit has, and the unit."""
    return _scale(ns, TIME_UNITS)


def _scaled(value: float | None, units) -> str:
    if value is None:
        return MISSING
    factor, unit = _scale(value, units)
    return f"{significant(value / factor)} {unit}"


def time(ns: float | None) -> str:
    return _scaled(ns, TIME_UNITS)


def rate(per_second: float | None) -> str:
    return _scaled(per_second, RATE_UNITS)


def bandwidth(bytes_per_second: float | None) -> str:
    return _scaled(bytes_per_second, BANDWIDTH_UNITS)


def time_range(low: float, high: float) -> str:
    """'205–230 ns': both ends in the unit of the upper one."""
    return _range(low, high, TIME_UNITS)


def rate_range(low: float, high: float) -> str:
    return _range(low, high, RATE_UNITS)


def bandwidth_range(low: float, high: float) -> str:
    return _range(low, high, BANDWIDTH_UNITS)


def _range(low: float, high: float, units) -> str:
    factor, unit = _scale(high, units)
    ends = dict.fromkeys((significant(low / factor), significant(high / factor)))
    return f"{'–'.join(ends)} {unit}"


def message_size(count: int) -> str:
    """4096 -> '4 KiB'; a number that is no multiple of a binary unit stays in bytes."""
    for factor, unit in BYTE_UNITS:
        if count >= factor and count % factor == 0:
            return f"{count // factor:,} {unit}"
    return f"{count:,} B"


def memory(count: int) -> str:
    for factor, unit in BYTE_UNITS:
        if count >= factor:
            return f"{significant(count / factor)} {unit}"
    return f"{count} B"


def count(number: int | None) -> str:
    return MISSING if number is None else f"{number:,}"


def plain(value: float) -> str:
    """A figure without a unit: whole from 100 on, else three digits at most."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{float(significant(value)):g}"


def observed(value: float, unit: str) -> str:
    """An observation, as the unit in the file has it read."""
    if unit == "ns" or unit.startswith("ns,"):
        return time(value)
    if unit == "messages_per_second":
        return rate(value)
    if unit == "bytes":
        return memory(round(value))
    if unit == "1: yes" and value in (0, 1):
        return "yes" if value else "no"
    if unit == "ratio":
        return significant(value)
    return plain(value)


def duration(seconds: float) -> str:
    if seconds < 60:
        return f"{significant(seconds)} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def plural(number: int, noun: str, nouns: str = "") -> str:
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"
