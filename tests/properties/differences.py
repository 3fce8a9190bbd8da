"""Databases that are not what the models say: each way is one difference, made by its own DDL.

A difference is made in a database that holds a drawn world. It takes what it needs from there, and
makes nothing where it does not fit.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    func,
    insert,
    literal,
    select,
)
from sqlalchemy.exc import DBAPIError

Make = Callable[[Connection, MetaData, Random], None]
DIFFERENCES: dict[str, Make] = {}
"""Every difference by its name: a function of the filled database, its models, and chance."""


class UnfitError(Exception):
    """This difference does not fit the drawn schema, or this kind of database."""


def difference(make: Make) -> Make:
    """Enter *make* by its name."""
    DIFFERENCES[make.__name__.removeprefix("_").replace("_", " ")] = make
    return make


def differing(connection: Connection, metadata: MetaData, name: str, random: Random) -> bool:
    """Make one difference, and say whether it fits; if it does not, all is as it was."""
    try:
        with connection.begin_nested():
            DIFFERENCES[name](connection, metadata, random)
    except (UnfitError, DBAPIError):
        # What the database itself refuses to become, no application has.
        return False
    return True


# ---------------------------------------------------------------- references that no model has


def _beside(on_delete: str | None, *, required: bool) -> Make:
    def make(connection: Connection, metadata: MetaData, random: Random) -> None:
        """Make a table that refers to one of the others, with a row for each row there."""
        target = _keyed(metadata, random)
        (key,) = target.primary_key
        beside = Table(
            "beside",
            MetaData(),
            Column("id", Integer, primary_key=True),
            Column(
                "target_id",
                key.type,
                ForeignKey(key, ondelete=on_delete),
                nullable=not required,
            ),
            Column("body", Text),
        )
        beside.create(connection)
        number = func.row_number().over(order_by=key)
        rows = select(number, key, literal("somebody's"))
        connection.execute(insert(beside).from_select(["id", "target_id", "body"], rows))

    return make


for _action in ("CASCADE", "SET NULL", "SET DEFAULT", "RESTRICT", None):
    for _required in (False, True):
        _name = f"beside, {_action or 'no action'}{', required' if _required else ''}"
        DIFFERENCES[_name] = _beside(_action, required=_required)


@difference
def _column_that_refers(connection: Connection, metadata: MetaData, random: Random) -> None:
    """A table with rules refers to another one by a column without a rule, and takes it along."""
    target, source = _keyed(metadata, random), _keyed(metadata, random)
    (key,) = target.primary_key
    kind = key.type.compile(connection.dialect)
    clause = f"{kind} REFERENCES {target.name} ({key.name}) ON DELETE CASCADE"
    _run(connection, f"ALTER TABLE {source.name} ADD COLUMN extra_id {clause}")
    _run(connection, f"UPDATE {source.name} SET extra_id = (SELECT max({key}) FROM {target.name})")


# ---------------------------------------------------------------- columns and keys


@difference
def _column(connection: Connection, metadata: MetaData, random: Random) -> None:
    table = _any(metadata, random)
    _run(connection, f"ALTER TABLE {table.name} ADD COLUMN extra TEXT DEFAULT 'a value'")


@difference
def _computed_column(connection: Connection, metadata: MetaData, random: Random) -> None:
    table = _any(metadata, random)
    column = random.choice([c for c in table.columns if isinstance(c.type, String)] or [None])
    if column is None:
        raise UnfitError
    kind = "VIRTUAL" if _is_sqlite(connection) else "STORED"
    clause = f"TEXT GENERATED ALWAYS AS (upper({column.name})) {kind}"
    _run(connection, f"ALTER TABLE {table.name} ADD COLUMN loud {clause}")


@difference
def _unique_key(connection: Connection, metadata: MetaData, random: Random) -> None:
    table = _any(metadata, random)
    columns = random.sample(list(table.columns), min(random.randint(1, 2), len(table.columns)))
    _index(connection, table, [column.name for column in columns])


@difference
def _unique_key_with_a_condition(
    connection: Connection, metadata: MetaData, random: Random
) -> None:
    table = _any(metadata, random)
    column, other = random.choices(list(table.columns), k=2)
    _index(connection, table, [column.name], f"{other.name} IS {random.choice(['', 'NOT '])}NULL")


@difference
def _unique_expression(connection: Connection, metadata: MetaData, random: Random) -> None:
    table = _any(metadata, random)
    column = random.choice(list(table.columns))
    _index(connection, table, [f"coalesce({column.name}, {column.name})"])


@difference
def _domain(connection: Connection, metadata: MetaData, random: Random) -> None:
    """A text column is of a domain that does not take every text."""
    _only_on_servers(connection)
    table = _any(metadata, random)
    column = random.choice([c for c in table.columns if isinstance(c.type, String)] or [None])
    if column is None:
        raise UnfitError
    check = random.choice(["VALUE <> 'gone'", "VALUE LIKE '%marker%'", "VALUE IS NOT NULL"])
    _run(connection, f"CREATE DOMAIN narrow AS text CHECK ({check})")
    _run(connection, f"ALTER TABLE {table.name} ALTER COLUMN {column.name} TYPE narrow")


@difference
def _required_column(connection: Connection, metadata: MetaData, random: Random) -> None:
    _only_on_servers(connection)
    table = _any(metadata, random)
    column = random.choice(list(table.columns))
    _run(connection, f"ALTER TABLE {table.name} ALTER COLUMN {column.name} SET NOT NULL")


@difference
def _check(connection: Connection, metadata: MetaData, random: Random) -> None:
    """A column of people must hold a value as long as nothing says that they left."""
    _only_on_servers(connection)
    column = random.choice(list(metadata.tables["people"].columns)).name
    clause = random.choice([f"{column} IS NOT NULL", "deleted_at IS NULL", f"{column} = {column}"])
    _run(connection, f"ALTER TABLE people ADD CHECK ({clause})")


@difference
def _key_that_is_none(connection: Connection, metadata: MetaData, random: Random) -> None:
    """Every row of a table has the key of a row that is somebody else's as well."""
    table = _keyed(metadata, random)
    if _is_sqlite(connection):
        _run(connection, f"CREATE TABLE copied AS SELECT * FROM {table.name}")
        _run(connection, f"DROP TABLE {table.name}")
        _run(connection, f"ALTER TABLE copied RENAME TO {table.name}")
        _run(connection, f"UPDATE {table.name} SET id = (SELECT min(id) FROM {table.name})")
        return
    kind = table.c.id.type.compile(connection.dialect)
    one = f"(SELECT min(id::text) FROM {table.name})::{kind}"
    _run(connection, f"ALTER TABLE {table.name} DROP CONSTRAINT {table.name}_pkey CASCADE")
    _run(connection, f"UPDATE {table.name} SET id = {one}")


@difference
def _keys_in_other_letters(connection: Connection, metadata: MetaData, random: Random) -> None:
    """The database takes two spellings of a login for the same, and references use both."""
    _only_on_servers(connection)
    _run(connection, "CREATE EXTENSION IF NOT EXISTS citext")
    _run(connection, "ALTER TABLE people ALTER COLUMN login TYPE citext")
    for table in _tables(metadata):
        for key in table.foreign_keys:
            if key.target_fullname == "people.login":
                at = f"{table.name} ALTER COLUMN {key.parent.name}"
                _run(connection, f"ALTER TABLE {at} TYPE citext")
                _run(connection, f"UPDATE {table.name} SET {key.parent.name} = "
                     f"upper({key.parent.name})")  # fmt: skip


@difference
def _reference_with_an_effect(connection: Connection, metadata: MetaData, random: Random) -> None:
    """A foreign key that only refers in the models changes or deletes rows in the database."""
    _only_on_servers(connection)
    keys = [key for table in _tables(metadata) for key in table.foreign_key_constraints]
    if not keys:
        raise UnfitError
    key = random.choice(sorted(keys, key=lambda each: (each.table.name, each.column_keys)))
    name = f"{key.table.name}_{'_'.join(key.column_keys)}_fkey"
    onto = ", ".join(element.column.name for element in key.elements)
    _run(connection, f"ALTER TABLE {key.table.name} DROP CONSTRAINT {name}")
    effect = random.choice(["CASCADE", "SET NULL", "SET DEFAULT"])
    _run(
        connection,
        f"ALTER TABLE {key.table.name} ADD FOREIGN KEY ({', '.join(key.column_keys)}) "
        f"REFERENCES {key.referred_table.name} ({onto}) ON DELETE {effect} "
        f"ON UPDATE {key.onupdate or 'NO ACTION'}",
    )


# ---------------------------------------------------------------- relations of other kinds


@difference
def _view(connection: Connection, metadata: MetaData, random: Random) -> None:
    table = _any(metadata, random)
    _run(connection, f"CREATE VIEW shown AS SELECT * FROM {table.name}")


@difference
def _view_in_the_place_of_a_table(
    connection: Connection, metadata: MetaData, random: Random
) -> None:
    table = random.choice(_tables(metadata)[1:])
    _run(connection, f"ALTER TABLE {table.name} RENAME TO stored")
    _run(connection, f"CREATE VIEW {table.name} AS SELECT * FROM stored")


@difference
def _inherited_rows(connection: Connection, metadata: MetaData, random: Random) -> None:
    """Rows of a table live in another one that inherits from it, at the same addresses."""
    _only_on_servers(connection)
    table = random.choice(_tables(metadata)[1:])
    _run(connection, f"CREATE TABLE part (more text) INHERITS ({table.name})")
    _run(connection, f"INSERT INTO part SELECT *, 'more' FROM {table.name}")


def _rule(does: str) -> Make:
    def make(connection: Connection, metadata: MetaData, random: Random) -> None:
        """Make a rule of PostgreSQL, which rewrites the statement."""
        _only_on_servers(connection)
        table, event = _any(metadata, random), random.choice(["UPDATE", "DELETE"])
        _run(connection, "CREATE TABLE history (happened TEXT, was TEXT)")
        _run(connection, f"CREATE RULE watch AS ON {event} TO {table.name} DO {does}")

    return make


DIFFERENCES["rule that takes a change back"] = _rule("INSTEAD NOTHING")
DIFFERENCES["rule that writes more"] = _rule("ALSO INSERT INTO history VALUES ('more', 'rows')")


@difference
def _inherited_rows_alike(connection: Connection, metadata: MetaData, random: Random) -> None:
    _only_on_servers(connection)
    table = random.choice(_tables(metadata)[1:])
    if "people.login" in {key.target_fullname for key in table.foreign_keys}:
        # No foreign key is inherited, so the database changes no reference there.
        raise UnfitError
    _run(connection, f"CREATE TABLE part () INHERITS ({table.name})")
    _run(connection, f"INSERT INTO part SELECT * FROM {table.name}")


@difference
def _partitions(connection: Connection, metadata: MetaData, random: Random) -> None:
    """The rows of a table are in two others, at the same addresses."""
    _only_on_servers(connection)
    table = random.choice(_tables(metadata)[1:])
    if "people.login" in {key.target_fullname for key in table.foreign_keys}:
        # Without its foreign keys, no reference would change with the login.
        raise UnfitError
    column = next(iter(table.columns)).name
    _run(connection, f"ALTER TABLE {table.name} RENAME TO copied")
    _run(connection, f"CREATE TABLE {table.name} (LIKE copied) PARTITION BY HASH ({column})")
    for rest in (0, 1):
        bounds = f"FOR VALUES WITH (MODULUS 2, REMAINDER {rest})"
        _run(connection, f"CREATE TABLE part{rest} PARTITION OF {table.name} {bounds}")
    _run(connection, f"INSERT INTO {table.name} SELECT * FROM copied")
    _run(connection, "DROP TABLE copied")


# ---------------------------------------------------------------- triggers


def _trigger(body: str, moment: str = "AFTER UPDATE OR DELETE", *, kept: bool = True) -> Make:
    def make(connection: Connection, metadata: MetaData, random: Random) -> None:
        """Make a trigger on one table that does *body* for each row."""
        table = _any(metadata, random)
        column = random.choice(list(table.columns)).name
        _run(connection, "CREATE TABLE history (happened TEXT, was TEXT)")
        given = {"table": table.name, "column": column}
        if _is_sqlite(connection):
            when, what = moment.split(" ", 1)
            for event in what.split(" OR "):
                done = body.format(**given) if kept else "SELECT raise(IGNORE)"
                name = f"watch_{event.lower()}"
                clause = f"{when} {event} ON {table.name} BEGIN {done}; END"
                _run(connection, f"CREATE TRIGGER {name} {clause}")
            return
        done = body.format(**given) + "; RETURN NEW" if kept else body
        _run(
            connection,
            f"CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {done}; END $$",
        )
        on = f"{moment} ON {table.name} FOR EACH ROW"
        _run(connection, f"CREATE TRIGGER watch {on} EXECUTE FUNCTION watch()")

    return make


DIFFERENCES["history by a trigger"] = _trigger(
    "INSERT INTO history (happened, was) VALUES ('{table}', OLD.{column})"
)
DIFFERENCES["trigger that takes a change back"] = _trigger(
    "RETURN NULL", "BEFORE UPDATE OR DELETE", kept=False
)
DIFFERENCES["trigger that empties another table"] = _trigger("DELETE FROM history")


# ---------------------------------------------------------------- pieces


def _tables(metadata: MetaData) -> list[Table]:
    return [table for name, table in sorted(metadata.tables.items()) if name[0] != "o"]


def _any(metadata: MetaData, random: Random) -> Table:
    return random.choice(_tables(metadata))


def _keyed(metadata: MetaData, random: Random, *, people: bool = True) -> Table:
    """Return a table with a key of one column, `id`."""
    found = [
        table
        for table in _tables(metadata)
        if list(table.primary_key.columns.keys()) == ["id"] and (people or table.name != "people")
    ]
    if not found:
        raise UnfitError
    return random.choice(found)


def _index(
    connection: Connection, table: Table, parts: list[str], condition: str | None = None
) -> None:
    where = "" if condition is None else f" WHERE {condition}"
    _run(connection, f"CREATE UNIQUE INDEX extra_key ON {table.name} ({', '.join(parts)}){where}")


def _is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"


def _only_on_servers(connection: Connection) -> None:
    if _is_sqlite(connection):
        raise UnfitError


def _run(connection: Connection, statement: str) -> None:
    connection.exec_driver_sql(statement)
