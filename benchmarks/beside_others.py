r"""What people use on Django beside SQL by hand; run by hand, in an environment of its own.

    pip install "Django<5.3" "psycopg[binary]" SQLAlchemy python-dateutil \
        django-gdpr-assist django-scrubber
    PYTHONPATH=src:. python -m benchmarks.beside_others postgresql://user@host/an_empty_database

The figures that were found are in `benchmarks/README.md`.
"""

# ruff: noqa: PLC0415 - models can be imported after the settings

import sys
from collections.abc import Callable, Iterator
from statistics import median
from time import perf_counter

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from sqlalchemy import make_url

from efface import unrelated

ROUNDS = 40
WARM_UP = 5
EVERYBODY = 1000
CHILDREN = (
    ("login", "token", "DELETE FROM district_login WHERE person_id {}"),
    ("address", "street", "DELETE FROM district_address WHERE person_id {}"),
    ("post", "title", "UPDATE district_post SET title = '' WHERE person_id {}"),
    ("comment", "name", "UPDATE district_comment SET name = NULL WHERE person_id {}"),
    ("order", "note", "UPDATE district_order SET note = NULL WHERE person_id {}"),
    ("event", "ip", "UPDATE district_event SET ip = NULL WHERE person_id {}"),
)
PERSON = (
    "UPDATE district_person SET name = NULL, password = '', email = 'anonymized-' || "
    "replace(gen_random_uuid()::text, '-', '') || '@users.invalid' WHERE id {}"
)


def set_up(url: str) -> None:
    at = make_url(url)
    server = {"ENGINE": "django.db.backends.postgresql", "NAME": at.database}
    server |= {"USER": at.username, "PASSWORD": at.password or "", "HOST": at.host or ""}
    log = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    of_others = unrelated(because="of the packages beside")
    settings.configure(
        INSTALLED_APPS=[
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "django.contrib.sessions",
            "django_scrubber",
            "gdpr_assist",
            "efface.django",
            "benchmarks.district",
        ],
        AUTH_USER_MODEL="district.Person",
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        SECRET_KEY="of the benchmark",  # noqa: S106 - signs nothing
        DATABASES={"default": server, "gdpr_log": log},
        DATABASE_ROUTERS=["gdpr_assist.routers.EventLogRouter"],
        GDPR_CAN_ANONYMISE_DATABASE=True,
        USE_TZ=True,
        # Its command refuses to run elsewhere.
        DEBUG=True,
        EFFACE={
            "KEY": "a key of the benchmark",
            "RULES": {"gdpr_assist": of_others, "django_scrubber": of_others},
        },
    )
    django.setup()
    from gdpr_assist import register

    from benchmarks.district import models

    for name, column, _ in CHILDREN:
        register(getattr(models, name.capitalize()), _private(column))
    register(models.Person, _private("email", "name"))
    call_command("migrate", run_syncdb=True, verbosity=0)
    call_command("migrate", database="gdpr_log", run_syncdb=True, verbosity=0)


def _private(*columns: str) -> type:
    return type("PrivacyMeta", (), {"fields": list(columns)})


def people(first: int, number: int) -> list[int]:
    from benchmarks.district.models import ROWS, Person

    keys = list(range(first, first + number))
    with transaction.atomic():
        Person.objects.bulk_create(
            Person(id=key, email=f"member{key}@town.example", name=f"Member {key}") for key in keys
        )
        for model, rows, values in ROWS:
            model.objects.bulk_create(
                model(person_id=key, **values) for key in keys for _ in range(rows)
            )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return keys


def by_hand(condition: str, values: list[int]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        for *_, statement in CHILDREN:
            cursor.execute(statement.format(condition), values)
        cursor.execute(PERSON.format(condition), values)


def by_gdpr_assist(key: int) -> None:
    from benchmarks.district import models

    with transaction.atomic():
        for name, *_ in CHILDREN:
            getattr(models, name.capitalize()).objects.filter(person_id=key).anonymise()
        models.Person.objects.get(pk=key).anonymise()


def by_efface(key: int) -> None:
    from efface.django import close_account

    close_account(key, actor="benchmark", settle=False)


def one_person() -> Iterator[str]:
    sides: dict[str, Callable[[int], None]] = {
        "by hand": lambda key: by_hand("= %s", [key]),
        "Efface": by_efface,
        "django-gdpr-assist": by_gdpr_assist,
    }
    keys = iter(people(1, (ROUNDS + WARM_UP) * len(sides)))
    times: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(ROUNDS + WARM_UP):
        for name, side in sides.items():
            taken = timed(side, next(keys))
            if number >= WARM_UP:
                times[name].append(taken)
    found = {name: median(each) for name, each in times.items()}
    yield from (f"one person, {n}: {s / found['by hand']:.1f}" for n, s in found.items())


def everybody() -> Iterator[str]:
    from benchmarks.district import models
    from efface.django import eraser, joined

    def efface(keys: list[int]) -> None:
        with transaction.atomic(), joined("default") as bind:
            eraser("default").close_accounts(bind, keys, actor="benchmark")

    def scrubber(_: list[int]) -> None:
        from django.db.models import CharField, Value
        from django.db.models.functions import Cast, Concat
        from django_scrubber.scrubbers import Null

        nobody = Concat(Value("anonymized-"), Cast("id", CharField()), Value("@users.invalid"))
        models.Person.Scrubbers = type("Scrubbers", (), {"email": nobody, "name": Null})
        for name, column, _ in CHILDREN[3:]:
            getattr(models, name.capitalize()).Scrubbers = type("Scrubbers", (), {column: Null})
        call_command("scrub_data", verbosity=0)

    found = {}
    for at, side in enumerate((None, efface, None, scrubber)):
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE district_person, efface_closings CASCADE")
        keys = people(1_000_000 * (at + 1), EVERYBODY)
        ends = [keys[0], keys[-1]]
        connection.queries_log.clear()
        found[at] = timed(side, keys) if side else timed(by_hand, "BETWEEN %s AND %s", ends)
    yield f"everybody, Efface: {found[1] / found[0]:.1f}"
    yield f"everybody, django-scrubber: {found[3] / found[2]:.1f}"


def timed(side: Callable[..., None], *arguments: object) -> float:
    begin = perf_counter()
    side(*arguments)
    return perf_counter() - begin


if __name__ == "__main__":
    set_up(sys.argv[1])
    settings.DEBUG = False
    print(*one_person(), sep="\n")
    settings.DEBUG = True
    print(*everybody(), sep="\n")
