"""A measure, and how measures are shown and kept."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

LATEST = Path(__file__).parent / "latest.json"


@dataclass(frozen=True)
class Measure:
    """One line of the table: a ratio that must not be above its target, where it has one.

    A limit in milliseconds or statements is kept as a ratio too: measured over allowed, at most 1.
    """

    measure: str
    ratio: float
    target: float | None
    shown: str

    @property
    def holds(self) -> bool:
        """Return whether the target is met; what is there to compare with has none."""
        return self.target is None or self.ratio <= self.target


def within(measure: str, found: float, allowed: float, unit: str) -> Measure:
    """Return a measure with a limit of its own, such as 60 ms."""
    return Measure(measure, found / allowed, 1.0, f"{found:.1f} of {allowed:g} {unit}")


def p95(seconds: Iterable[float]) -> float:
    """Return the 95th percentile, in milliseconds."""
    return quantiles(seconds, n=20)[-1] * 1000


def show(measures: Iterable[Measure]) -> None:
    """Print the table."""
    print(f"\n{'measure':<90}{'measured':>22}{'ratio':>8}{'target':>8}")
    for each in measures:
        target = "" if each.target is None else f"{each.target:.2f}"
        verdict = "" if each.holds else "   too much"
        print(f"{each.measure:<90}{each.shown:>22}{each.ratio:>8.2f}{target:>8}{verdict}")


def keep(measures: Iterable[Measure], *, whole: bool) -> None:
    """Write `latest.json`; after a part of the measures, the others stay as they were."""
    kept = [] if whole or not LATEST.exists() else json.loads(LATEST.read_text())
    lines = {line["measure"]: line for line in kept}
    for each in measures:
        lines[each.measure] = {
            "measure": each.measure,
            "ratio": round(each.ratio, 3),
            "target": each.target,
            "holds": None if each.target is None else each.holds,
        }
    LATEST.write_text(json.dumps(list(lines.values()), indent=2) + "\n")
