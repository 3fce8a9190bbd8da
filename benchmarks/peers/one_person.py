"""One person with 52 rows in seven tables, each in a transaction, beside SQL by hand."""

from collections.abc import Callable, Iterator
from statistics import median

from django.db import connection, transaction

from benchmarks.closing import WARM_UP, DifferentEffectError, interleaved
from benchmarks.measure import Measure
from benchmarks.peers import by_hand, parts

ALLOWED = {"postgresql": 2.0, "sqlite": 3.0}
LINE = "one person, 52 rows in 7 tables: {}"


def measures(package: str, size: parts.Size) -> Iterator[Measure]:
    """Compare to bare statements; Efface to SQL that locks, asks and records too."""
    efface = package == parts.EFFACE
    sides = [_efface(), by_hand.Closing(), by_hand.bare_one] if efface else [_assist()]
    sides = sides if efface else [*sides, by_hand.bare_one]
    # A package that takes longer has its turn less often.
    number = len(sides) * (size.closings // (1 if efface else 5) + WARM_UP)
    by_hand.fill(number)
    keys = list(range(1, number + 1))
    ours, *theirs = (median(each) * 1000 for each in interleaved(keys, *sides))
    effects = [by_hand.effect(key) for key in keys[-len(sides) :]]
    if by_hand.left(1, number) or (efface and effects[1:] != effects[:-1]):
        raise DifferentEffectError
    if efface:
        locked, *theirs = theirs
        allowed = ALLOWED[connection.vendor]
        line = LINE.format("Efface, to SQL by hand of the same effect")
        yield Measure(line, ours / locked, allowed, f"{ours:.2f} to {locked:.2f} ms")
    (bare,) = theirs
    line = LINE.format(f"{package}, to bare statements")
    yield Measure(line, ours / bare, None, f"{ours:.2f} to {bare:.2f} ms")


def _efface() -> Callable[[int], None]:
    from efface.django import close_account  # noqa: PLC0415  # installed for its own sides alone

    def close(key: int) -> None:
        close_account(key, actor="benchmark", finalize=False)

    return close


def _assist() -> Callable[[int], None]:
    from benchmarks.peers import assist  # noqa: PLC0415  # as above

    def close(key: int) -> None:
        with transaction.atomic():
            assist.anonymize([key])

    return close
