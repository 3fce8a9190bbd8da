"""Everybody in the seven tables, beside one statement for each table.

Each side works on a copy of the same database, in turn.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter

from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import CharField, Value
from django.db.models.functions import Cast, Concat
from django.test import override_settings
from sqlalchemy import URL

from benchmarks.closing import DifferentEffectError
from benchmarks.district import models
from benchmarks.measure import Measure
from benchmarks.peers import by_hand, parts
from tests.support import databases

ALLOWED = 1.5


def measures(package: str, size: parts.Size) -> Iterator[Measure]:
    """Compare with everybody, or with a part of them that is taken for everybody."""
    by_hand.fill(size.people)
    if by_hand.left(1, size.people) != size.people * by_hand.ROWS_OF_ONE:
        raise DifferentEffectError
    side, said, people = {
        parts.EFFACE: lambda: (_efface(size), f" in batches of {size.batch:,}", size.people),
        parts.SCRUBBER: lambda: (_scrubber(), "", size.people),
        parts.ANONYMIZER: lambda: (_anonymizer(), "", size.people),
        parts.ASSIST: lambda: (_assist(size), f", from {size.sample:,} people", size.sample),
    }[package]()
    sides = [(side, people), (by_hand.bare_all, size.people)]
    times: dict[Callable[[], None], list[float]] = {each: [] for each, _ in sides}
    for number in range(size.rounds):
        for each, reached in sides if number % 2 else reversed(sides):
            with _copy():
                begin = perf_counter()
                each()
                times[each].append(perf_counter() - begin)
                if by_hand.left(1, reached):
                    raise DifferentEffectError
    ours, theirs = (median(each) for each in times.values())
    ours *= size.people / people
    rows = size.people * by_hand.ROWS_OF_ONE
    yield Measure(
        f"all users, {rows:,} rows: {package}{said}, to one statement a table",
        ours / theirs,
        ALLOWED if package == parts.EFFACE else None,
        f"{ours:.1f} to {theirs:.1f} s",
    )


@contextmanager
def _copy() -> Iterator[None]:
    """Have Django work on a copy of its database for a while."""
    said = connection.settings_dict
    original = said["NAME"]
    connection.close()
    with _copied(original) as name:
        said["NAME"] = name
        try:
            yield
        finally:
            connection.close()
            said["NAME"] = original


@contextmanager
def _copied(name: str) -> Iterator[str]:
    if connection.vendor == "sqlite":
        copy = Path(shutil.copyfile(name, name + ".copy"))
        yield str(copy)
        copy.unlink()
        return
    said = connection.settings_dict
    server = URL.create("postgresql+psycopg", said["USER"], database=name)
    server = server.set(password=said["PASSWORD"], host=said["HOST"], port=said["PORT"] or None)
    with databases.database_on(server, f"{name}_copy", template=name) as url:
        with connection.cursor() as cursor:
            # What was copied is written now, and not while a side is timed.
            cursor.execute("CHECKPOINT")
        connection.close()
        yield url.database


def _efface(size: parts.Size) -> Callable[[], None]:
    from efface.django import eraser, sqlalchemy_connection  # noqa: PLC0415  # installed for its own sides alone

    def close(keys: Sequence[int]) -> None:
        with transaction.atomic(), sqlalchemy_connection("default") as bind:
            eraser("default").close_accounts(bind, keys, actor="benchmark")

    def close_all() -> None:
        for first in range(1, size.people + 1, size.batch):
            close(range(first, first + size.batch))

    with _copy():
        # Once per process an eraser looks at its tables and writes its statements.
        close([1])
    return close_all


def _scrubber() -> Callable[[], None]:
    from django_scrubber.scrubbers import Empty, Null  # noqa: PLC0415  # as above

    nobody = Concat(Value("anonymized-"), Cast("id", CharField()), Value("@users.invalid"))
    for model, values in {
        models.Person: {"email": nobody, "name": Null, "password": Empty, "last_login": Null},
        models.Login: {"token": Empty},
        models.Address: {"street": Empty},
        models.Post: {"title": Empty},
        models.Comment: {"name": Null},
        models.Order: {"note": Null},
        models.Event: {"ip": Null},
    }.items():
        model.Scrubbers = type("Scrubbers", (), values)

    def scrub() -> None:
        # The command refuses to run where it looks like production.
        with override_settings(DEBUG=True):
            call_command("scrub_data", verbosity=0)

    return scrub


def _anonymizer() -> Callable[[], None]:
    from benchmarks.peers import anonymizer  # noqa: PLC0415  # as above

    return anonymizer.anonymize


def _assist(size: parts.Size) -> Callable[[], None]:
    from benchmarks.peers import assist  # noqa: PLC0415  # as above

    def close() -> None:
        with transaction.atomic():
            assist.anonymize(range(1, size.sample + 1))

    return close
