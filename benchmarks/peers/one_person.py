"""Django: hiding beside the filter written by hand, closing beside SQL written by hand.

The hand-written closing is set-based SQL of the same effect through `connection.cursor()`, in
`transaction.atomic()`, with the same lock, check of the state and record of the closing.
"""

import hmac
import json
import secrets
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connections, transaction
from django.db.models import QuerySet
from django.db.models.sql import Query
from sqlalchemy import make_url

from benchmarks.closing import DifferentEffectError, interleaved
from benchmarks.hiding import shown
from benchmarks.measure import Measure
from tests import databases

ROUNDS = 3000
WARM_UP = 100
PEOPLE = 5000
CLOSED = 10
"""Every tenth account is closed."""
LIST = 100
SOMEBODY = 11
CLOSINGS = 300
BATCH = 1000
BATCHES = 2
SLICES = 5
"""Ten thousand people a side, alternately in slices of some batches."""
KEY = "a key of the benchmark"
STATEMENTS = (
    "DELETE FROM district_login WHERE person_id = %s",
    "DELETE FROM district_address WHERE person_id = %s",
    "UPDATE district_post SET title = '' WHERE person_id = %s AND title <> ''",
    "UPDATE district_comment SET name = NULL WHERE person_id = %s AND name IS NOT NULL",
    "UPDATE district_order SET note = NULL WHERE person_id = %s AND note IS NOT NULL",
    "UPDATE district_event SET ip = NULL WHERE person_id = %s AND ip IS NOT NULL",
)
PERSON = (
    "UPDATE district_person SET deleted_at = %s, name = NULL, password = '', last_login = NULL,"
    " email = 'anonymized-' || {} || '@users.invalid' WHERE id = %s"
)
TOKEN = {
    "sqlite": "lower(hex(randomblob(16)))",
    "postgresql": "replace(gen_random_uuid()::text, '-', '')",
}
RECORD = (
    "INSERT INTO efface_closings (reference, subject, closed_at, actor, policy, receipt)"
    " VALUES (%s, %s, %s, %s, %s, %s)"
)
EFFECT = (
    """SELECT name, password, last_login, email LIKE 'anonymized-%%@users.invalid',
    deleted_at IS NULL FROM district_person WHERE id = %s""",
    "SELECT count(*) FROM district_login WHERE person_id = %s",
    "SELECT count(*) FROM district_address WHERE person_id = %s",
    "SELECT title, count(*) FROM district_post WHERE person_id = %s GROUP BY title",
    "SELECT name, count(*) FROM district_comment WHERE person_id = %s GROUP BY name",
    "SELECT note, count(*) FROM district_order WHERE person_id = %s GROUP BY note",
    "SELECT ip, count(*) FROM district_event WHERE person_id = %s GROUP BY ip",
)


class Unfiltered(Query):
    """A query as Django has it: this module is read before Efface is installed."""

    get_compiler = Query.get_compiler


def against_hand_written() -> Iterator[Measure]:
    with tempfile.TemporaryDirectory() as folder, databases.server() as url:
        _set_up(Path(folder) / "district.db", make_url(url))
        _people("memory", PEOPLE)
        _leave_every_tenth()
        yield from _hiding()
        for alias, allowed in (("postgresql", 2.0), ("default", 3.0)):
            yield _closing(alias, allowed)
        yield _everybody("postgresql")
        connections.close_all()


def _set_up(path: Path, url: Any) -> None:
    server = {"NAME": url.database, "USER": url.username or "", "PASSWORD": url.password or ""}
    server |= {"HOST": url.host or url.query.get("host", ""), "PORT": str(url.port or "")}
    durable = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL"
    sqlite = "django.db.backends.sqlite3"
    options = {"transaction_mode": "IMMEDIATE", "init_command": durable}
    settings.configure(
        INSTALLED_APPS=[
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "efface.django",
            "benchmarks.district",
        ],
        AUTH_USER_MODEL="district.Person",
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        SECRET_KEY="of the benchmark",  # noqa: S106 - signs nothing
        USE_TZ=True,
        DATABASES={
            "default": {"ENGINE": sqlite, "NAME": str(path), "OPTIONS": options},
            "memory": {"ENGINE": sqlite, "NAME": ":memory:"},
            "postgresql": {"ENGINE": "django.db.backends.postgresql", **server},
        },
        EFFACE={"KEY": KEY},
    )
    django.setup()
    for alias in connections:
        call_command("migrate", database=alias, run_syncdb=True, verbosity=0)


def _people(alias: str, number: int) -> list[int]:
    from benchmarks.district.models import ROWS, Person  # noqa: PLC0415  # after the settings

    with transaction.atomic(using=alias):
        people = Person.objects.using(alias).bulk_create(
            Person(id=key, email=f"member{key}@town.example", name=f"Member Number {key}")
            for key in range(1, number + 1)
        )
        for model, rows, values in ROWS if alias != "memory" else ():
            model.objects.using(alias).bulk_create(
                model(person=person, **values) for person in people for _ in range(rows)
            )
    return [person.pk for person in people]


def _leave_every_tenth() -> None:
    from benchmarks.district.models import Person  # noqa: PLC0415  # as above

    keys = range(CLOSED, PEOPLE + 1, CLOSED)
    Person.objects.using("memory").filter(pk__in=keys).update(deleted_at=datetime.now(UTC))


def _hiding() -> Iterator[Measure]:
    """Compare on SQLite in memory, where a statement costs least and a filter shows most."""
    from benchmarks.district.models import Person, Post  # noqa: PLC0415  # as above

    rows, address = Person.objects.using("memory"), f"member{SOMEBODY}@town.example"
    by_hand = rows.include_closed()
    pairs = {
        "by key": (
            lambda: by_hand.get(pk=SOMEBODY, deleted_at__isnull=True),
            lambda: rows.get(pk=SOMEBODY),
        ),
        "by e-mail": (
            lambda: by_hand.get(email=address, deleted_at__isnull=True),
            lambda: rows.get(email=address),
        ),
        f"list of {LIST}": (
            lambda: list(by_hand.filter(deleted_at__isnull=True)[:LIST]),
            lambda: list(rows.all()[:LIST]),
        ),
    }
    for name, (hand, hidden) in pairs.items():
        if hand() != hidden():
            raise DifferentEffectError
        theirs, ours = _taken(hand, hidden)
        yield shown(f"Django, hiding: {name}, to the filter by hand", ours, theirs, 1.1)
    plain, ours = (QuerySet(Post, kind(Post), "memory") for kind in (Unfiltered, Query))
    sides = _taken(lambda: list(plain.filter(pk=1)), lambda: list(ours.filter(pk=1)))
    yield shown("Django, hiding: nobody's statement, to no filter", sides[1], sides[0], 1.05)


def _taken(*sides: Callable[[], object]) -> list[float]:
    times: list[list[float]] = [[] for _ in sides]
    for number in range(ROUNDS + WARM_UP):
        order = list(enumerate(sides))
        for which, side in order if number % 2 else reversed(order):
            begin = perf_counter()
            side()
            seconds = perf_counter() - begin
            if number >= WARM_UP:
                times[which].append(seconds)
    return [median(each) for each in times]


def _closing(alias: str, allowed: float) -> Measure:
    from efface.django import close_account  # noqa: PLC0415  # as above

    keys = _people(alias, 2 * (CLOSINGS + 20))
    hand = _ByHand(alias)

    def efface(key: int) -> None:
        close_account(key, actor="benchmark", using=alias, settle=False)

    times = interleaved(keys, efface, hand.close)
    ours, theirs = (median(each) * 1000 for each in times)
    if _effect(alias, keys[-1]) != _effect(alias, keys[-2]):
        raise DifferentEffectError
    name = {"default": "SQLite on a durable file"}.get(alias, "PostgreSQL")
    line = f"Django, closing one person, 52 rows in 7 tables, {name}"
    return Measure(line, ours / theirs, allowed, f"{ours:.2f} to {theirs:.2f} ms")


def _everybody(alias: str) -> Measure:
    """Compare batches, with a receipt for each person, to one bare statement for each table."""
    from efface.django import eraser, joined  # noqa: PLC0415  # as above

    size = BATCH * BATCHES
    first = 1_000_000
    slices = [range(first + n * size, first + (n + 1) * size) for n in range(2 * SLICES + 2)]
    _fill(alias, slices[0][0], slices[-1][-1])
    closes = eraser(alias).close_accounts

    def efface(keys: range) -> None:
        for at in range(0, size, BATCH):
            with transaction.atomic(using=alias), joined(alias) as bind:
                closes(bind, keys[at : at + BATCH], actor="benchmark")

    bare = [statement.replace("= %s", "BETWEEN %s AND %s", 1) for statement in STATEMENTS]
    person = PERSON.format(TOKEN[connections[alias].vendor])
    person = person.replace("id = %s", "id BETWEEN %s AND %s")

    def by_hand(keys: range) -> None:
        ends = [keys[0], keys[-1]]
        with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
            for statement in bare:
                cursor.execute(statement, ends)
            cursor.execute(person, [datetime.now(UTC), *ends])

    times: dict[Any, list[float]] = {efface: [], by_hand: []}
    for number, keys in enumerate(slices):
        side = by_hand if number % 2 else efface
        begin = perf_counter()
        side(keys)
        seconds = perf_counter() - begin
        if number > 1:
            times[side].append(seconds)
    if _effect(alias, slices[-1][0]) != _effect(alias, slices[-2][0]):
        raise DifferentEffectError
    ours, theirs = (sum(each) for each in times.values())
    line = "Django, closing 10,000 people with 520,000 rows in batches of 1,000, PostgreSQL"
    return Measure(line, ours / theirs, 1.5, f"{ours:.1f} to {theirs:.1f} s")


def _fill(alias: str, first: int, last: int) -> None:
    from benchmarks.district.models import ROWS  # noqa: PLC0415  # as above

    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        cursor.execute(
            "INSERT INTO district_person (id, email, name, password)"
            " SELECT n, 'member' || n || '@town.example', 'Member Number ' || n, ''"
            " FROM generate_series(%s, %s) n",
            [first, last],
        )
        for model, rows, values in ROWS:
            ((column, value),) = values.items()
            cursor.execute(
                f"INSERT INTO {model._meta.db_table} (person_id, {column})"  # noqa: SLF001 - names of models
                " SELECT p, %s FROM generate_series(%s, %s) p, generate_series(1, %s)",
                [value, first, last, rows],
            )
    with connections[alias].cursor() as cursor:
        cursor.execute("ANALYZE")


class _ByHand:
    """The closing of one person, written for this application and one database."""

    def __init__(self, alias: str) -> None:
        self.alias, vendor = alias, connections[alias].vendor
        self.person = PERSON.format(TOKEN[vendor])
        self.lock = "SELECT email, name, deleted_at FROM district_person WHERE id = %s"
        if vendor == "postgresql":
            self.lock += " FOR UPDATE"

    def close(self, key: int) -> None:
        """Close the account in a transaction of its own."""
        now = datetime.now(UTC).replace(microsecond=0)
        with transaction.atomic(using=self.alias), connections[self.alias].cursor() as cursor:
            cursor.execute(self.lock, [key])
            _, _, closed = cursor.fetchone()
            if closed is not None:
                return
            counts = []
            for statement in STATEMENTS:
                cursor.execute(statement, [key])
                counts.append(cursor.rowcount)
            cursor.execute(self.person, [now, key])
            subject = hmac.digest(KEY.encode(), f"person {key}".encode(), "sha256").hex()
            receipt = json.dumps({"actor": "by hand", "rows": counts})
            values = [secrets.token_hex(16), subject, now, "by hand", "by hand", receipt]
            cursor.execute(RECORD, values)


def _effect(alias: str, key: int) -> list[Any]:
    found = []
    with connections[alias].cursor() as cursor:
        for query in EFFECT:
            cursor.execute(query, [key])
            found.append(cursor.fetchall())
    return found
