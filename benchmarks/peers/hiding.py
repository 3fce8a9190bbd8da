"""Whoever left is hidden, beside the filter written by hand for Django as it comes."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from statistics import median
from time import perf_counter

from django.db.models import QuerySet
from django.db.models.sql import Query

from benchmarks.closing import DifferentEffectError
from benchmarks.district.models import Person, Post
from benchmarks.hiding import WARM_UP, shown
from benchmarks.measure import Measure
from benchmarks.peers import by_hand, parts
from benchmarks.peers.project import Unfiltered

ALLOWED = 1.1
NOBODY_ALLOWED = 1.05
CLOSED = 10
"""Every tenth account is closed."""
LIST = 100
SOMEBODY = 11


def measures(package: str, size: parts.Size) -> Iterator[Measure]:
    """Compare three queries for people and, with Efface, one for something else."""
    by_hand.fill(size.people)
    keys = range(CLOSED, size.people + 1, CLOSED)
    everybody = QuerySet(Person, Unfiltered(Person))
    everybody.filter(pk__in=keys).update(deleted_at=datetime.now(UTC))
    hiding = Person.objects if package == parts.EFFACE else _safedelete()
    address = f"member{SOMEBODY}@town.example"
    pairs = {
        "by key": (
            lambda: [hiding.get(pk=SOMEBODY)],
            lambda: [everybody.get(pk=SOMEBODY, deleted_at__isnull=True)],
        ),
        "by email": (
            lambda: [hiding.get(email=address)],
            lambda: [everybody.get(email=address, deleted_at__isnull=True)],
        ),
        f"list of {LIST}": (
            lambda: list(hiding.order_by("pk")[:LIST]),
            lambda: list(everybody.filter(deleted_at__isnull=True).order_by("pk")[:LIST]),
        ),
    }
    for name, (hidden, by_filter) in pairs.items():
        if [each.pk for each in hidden()] != [each.pk for each in by_filter()]:
            raise DifferentEffectError
        ours, theirs = _taken(size.queries, hidden, by_filter)
        allowed = ALLOWED if package == parts.EFFACE else None
        yield shown(f"hiding, {name}: {package}, to a filter by hand", ours, theirs, allowed)
    if package == parts.EFFACE:
        ours, theirs = (QuerySet(Post, kind(Post)).filter(pk=1) for kind in (Query, Unfiltered))
        sides = _taken(size.queries, lambda: list(ours.all()), lambda: list(theirs.all()))
        line = "hiding, a statement about no user: Efface, to no filter"
        yield shown(line, *sides, NOBODY_ALLOWED)


def _safedelete() -> Callable[..., object]:
    from benchmarks.peers.soft.models import Member  # noqa: PLC0415  # where it is installed

    return Member.objects


def _taken(rounds: int, *sides: Callable[[], object]) -> list[float]:
    times: list[list[float]] = [[] for _ in sides]
    for number in range(rounds + WARM_UP):
        order = list(enumerate(sides))
        for which, side in order if number % 2 else reversed(order):
            begin = perf_counter()
            side()
            seconds = perf_counter() - begin
            if number >= WARM_UP:
                times[which].append(seconds)
    return [median(each) for each in times]
