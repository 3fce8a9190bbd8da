"""The seven tables: rows to fill them with, and the SQL that somebody would write by hand.

*Bare* is one statement for each table in one transaction, and nothing else. `Closing` has the same
lock, check of the state and record of the closing as Efface has.
"""

import hmac
import json
import secrets
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction

from benchmarks.district.models import ROWS
from benchmarks.peers.project import KEY

ROWS_OF_ONE = 1 + sum(rows for _, rows, _ in ROWS)
STATEMENTS = (
    ("DELETE FROM district_login", ""),
    ("DELETE FROM district_address", ""),
    ("UPDATE district_post SET title = ''", " AND title <> ''"),
    ("UPDATE district_comment SET name = NULL", " AND name IS NOT NULL"),
    ("UPDATE district_order SET note = NULL", " AND note IS NOT NULL"),
    ("UPDATE district_event SET ip = NULL", " AND ip IS NOT NULL"),
)
"""With what a closing adds, which writes no row that has nothing to lose."""
PERSON = (
    "UPDATE district_person SET deleted_at = %s, name = NULL, password = '', last_login = NULL,"
    " email = 'anonymized-' || {} || '@users.invalid'{}"
)
TOKEN = {
    "sqlite": "lower(hex(randomblob(16)))",
    "postgresql": "replace(gen_random_uuid()::text, '-', '')",
}
RECORD = (
    "INSERT INTO efface_closings (reference, subject, closed_at, actor, policy, receipt)"
    " VALUES (%s, %s, %s, %s, %s, %s)"
)
# Of everybody from a number to another.
NUMBERS = (
    "WITH RECURSIVE numbers (n) AS (SELECT {} UNION ALL SELECT n + 1 FROM numbers WHERE n < {})"
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


def fill(people: int) -> None:
    """Fill the tables with *people*, whose keys are 1, 2 and so on, and 51 rows of each."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO district_person (id, email, name, password)"
            f" {NUMBERS.format(1, people)} SELECT n, 'member' || n || '@town.example',"
            " 'Member Number ' || n, '' FROM numbers",
        )
        for model, rows, values in ROWS:
            ((column, value),) = values.items()
            cursor.execute(
                f"INSERT INTO {model._meta.db_table} (person_id, {column})"  # noqa: SLF001 - names of models
                f" {NUMBERS.format(1, rows)} SELECT id, %s FROM district_person, numbers",
                [value],
            )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")


def left(first: int, last: int) -> int:
    """Return how many rows of these people still hold what they were filled with."""
    conditions = [
        ("district_person", "id", "(name LIKE 'Member%%' OR email LIKE 'member%%')"),
        *(
            (model._meta.db_table, "person_id", f"{column} = '{value}'")  # noqa: SLF001 - as above
            for model, _, values in ROWS
            for column, value in values.items()
        ),
    ]
    found = 0
    with connection.cursor() as cursor:
        for table, key, condition in conditions:
            cursor.execute(
                f"SELECT count(*) FROM {table} WHERE {key} BETWEEN %s AND %s AND {condition}",
                [first, last],
            )
            found += cursor.fetchone()[0]
    return found


def bare_one(key: int) -> None:
    """Empty the rows of one person."""
    with transaction.atomic(), connection.cursor() as cursor:
        for statement, _ in STATEMENTS:
            cursor.execute(statement + " WHERE person_id = %s", [key])
        token = TOKEN[connection.vendor]
        cursor.execute(PERSON.format(token, " WHERE id = %s"), [datetime.now(UTC), key])


def bare_all() -> None:
    """Empty everybody's rows, with one statement for each table."""
    with transaction.atomic(), connection.cursor() as cursor:
        for statement, _ in STATEMENTS:
            cursor.execute(statement)
        cursor.execute(PERSON.format(TOKEN[connection.vendor], ""), [datetime.now(UTC)])


class Closing:
    """The closing of one person, written for this application and one database."""

    def __init__(self) -> None:
        self.person = PERSON.format(TOKEN[connection.vendor], " WHERE id = %s")
        self.lock = "SELECT email, name, deleted_at FROM district_person WHERE id = %s"
        if connection.vendor == "postgresql":
            self.lock += " FOR UPDATE"
        of_one = " WHERE person_id = %s"
        self.statements = [statement + of_one + unless for statement, unless in STATEMENTS]

    def __call__(self, key: int) -> None:
        """Close the account in a transaction of its own."""
        now = datetime.now(UTC).replace(microsecond=0)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(self.lock, [key])
            _, _, closed = cursor.fetchone()
            if closed is not None:
                return
            counts = []
            for statement in self.statements:
                cursor.execute(statement, [key])
                counts.append(cursor.rowcount)
            cursor.execute(self.person, [now, key])
            subject = hmac.digest(KEY.encode(), f"person {key}".encode(), "sha256").hex()
            receipt = json.dumps({"actor": "by hand", "rows": counts})
            values = [secrets.token_hex(16), subject, now, "by hand", "by hand", receipt]
            cursor.execute(RECORD, values)


def effect(key: int) -> list[Any]:
    """Return everything that a closing leaves of a person."""
    found = []
    with connection.cursor() as cursor:
        for query in EFFECT:
            cursor.execute(query, [key])
            found.append(cursor.fetchall())
    return found
