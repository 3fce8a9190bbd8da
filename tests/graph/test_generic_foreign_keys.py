"""Generic pairs: a kind and a key, as text, as numbers, or by a table of kinds."""

from uuid import UUID, uuid4

import pytest
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    insert,
    select,
)

from efface import (
    Delete,
    Eraser,
    Generic,
    Placeholder,
    Policy,
    Redact,
    Replace,
    data_subject,
    no_personal_data,
    on_close,
    personal,
)


class World:
    """People and things with the same keys, and one log about both."""

    def __init__(self, engine, *, key=BigInteger, reference=None, by_table=False, name=None):
        self.engine, self.metadata = engine, MetaData()
        self.users = Table(
            "users",
            self.metadata,
            Column("id", key, primary_key=True),
            Column("email", String(80), personal(Placeholder.email()), unique=True),
            Column("deleted_at", DateTime(timezone=True)),
            data_subject(identifiers=["email"]),
        )
        if by_table:
            self.kinds = Table(
                "kinds",
                self.metadata,
                Column("id", Integer, primary_key=True),
                Column("app", String(20)),
                Column("model", String(20)),
                UniqueConstraint("app", "model"),
                no_personal_data(reason="names of kinds"),
            )
        kind = Column("kind", *([ForeignKey("kinds.id")] if by_table else [String(20)]))
        via = Generic("kind", "object_id", type=name or ("site.user" if by_table else "user"))
        self.log = Table(
            "log",
            self.metadata,
            Column("id", Integer, primary_key=True),
            Column("actor_id", key, ForeignKey("users.id")),
            kind,
            Column("object_id", reference or String(64)),
            Column("label", Text, personal(Replace(""), via=via), nullable=False),
            on_close(Redact(), via="actor_id"),
            on_close(Redact(), via=via),
        )
        self.metadata.create_all(engine)
        self.eraser = Eraser(Policy.from_metadata(self.metadata), secret="a key for the tests")
        self.eraser.create_tables(engine)

    def fill(self, table, *rows):
        with self.engine.begin() as connection:
            connection.execute(insert(table), list(rows))

    def close(self, *keys):
        with self.engine.begin() as connection:
            return self.eraser.close_accounts(connection, keys, actor="test")

    def close_one(self, key):
        with self.engine.begin() as connection:
            return self.eraser.close_account(connection, key, actor="test")

    def labels(self):
        with self.engine.connect() as connection:
            return connection.scalars(select(self.log.c.label).order_by(self.log.c.id)).all()


@pytest.mark.parametrize(
    "keys",
    [
        (BigInteger, String(64), 1, 2),
        (BigInteger, Integer, 1, 2),
        (Uuid, String(64), UUID(int=1), uuid4()),
    ],
)
@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
def test_a_pair_never_takes_the_same_key_of_another_kind(database, keys, many):
    key, reference, first, second = keys
    world = World(database, key=key, reference=reference)
    world.fill(world.users, {"id": first, "email": "ada@x.org"}, {"id": second, "email": "g@x.org"})
    as_kept = str if isinstance(reference, String) else int
    row = {"actor_id": second, "kind": "user", "object_id": as_kept(first)}
    world.fill(
        world.log,
        {**row, "id": 1, "label": "ada@x.org joined"},
        {**row, "id": 2, "kind": "product", "label": "a chair"},
        {**row, "id": 3, "object_id": as_kept(second), "label": "g@x.org joined"},
    )

    if many:
        world.close(first)
    else:
        world.close_one(first)

    assert world.labels() == ["", "a chair", "g@x.org joined"]


@pytest.mark.parametrize("by_table", [False, True], ids=["by text", "by table"])
def test_people_of_several_kinds_are_found_under_each_name(database, by_table):
    kinds = ("site.user", "site.guest", "site.product") if by_table else ("user", "guest", "chair")
    world = World(database, by_table=by_table, name=kinds[:2])
    world.fill(world.users, {"id": 1, "email": "ada@x.org"}, {"id": 2, "email": "g@x.org"})
    said = dict(enumerate(kinds, start=1))
    if by_table:
        split = {number: name.split(".") for number, name in said.items()}
        world.fill(
            world.kinds, *({"id": n, "app": app, "model": m} for n, (app, m) in split.items())
        )
    world.fill(
        world.log,
        *(
            {
                "id": number,
                "actor_id": 2,
                "kind": number if by_table else name,
                "object_id": "1",
                "label": name,
            }
            for number, name in said.items()
        ),
    )

    world.close_one(1)

    assert world.labels() == ["", "", kinds[2]]


@pytest.mark.parametrize("name", [(), "", ("user", "")])
def test_a_pair_without_a_name_is_refused(name):
    """Its condition would be empty, and so true of rows about anything."""
    with pytest.raises(ValueError, match="Generic needs a type"):
        Generic("kind", "object_id", type=name)


def test_keys_of_other_kinds_may_be_any_text(database):
    world = World(database)
    world.fill(world.users, {"id": 1, "email": "ada@x.org"}, {"id": 2, "email": "g@x.org"})
    world.fill(
        world.log,
        {"id": 1, "actor_id": 1, "kind": "page", "object_id": "about", "label": "About us"},
        {"id": 2, "actor_id": 1, "kind": "user", "object_id": "1", "label": "ada@x.org"},
        {"id": 3, "actor_id": None, "kind": None, "object_id": None, "label": "nothing"},
    )

    world.close(1, 2)

    assert world.labels() == ["About us", "", "nothing"]


def test_a_kind_may_be_a_row_in_a_table_of_kinds(database):
    world = World(database, by_table=True)
    world.fill(
        world.kinds,
        {"id": 7, "app": "site", "model": "user"},
        {"id": 8, "app": "shop", "model": "user"},
    )
    world.fill(world.users, {"id": 1, "email": "ada@x.org"})
    world.fill(
        world.log,
        {"id": 1, "actor_id": None, "kind": 7, "object_id": "1", "label": "ada@x.org"},
        {"id": 2, "actor_id": None, "kind": 8, "object_id": "1", "label": "of the shop"},
    )

    world.close_one(1)

    assert world.labels() == ["", "of the shop"]


@pytest.mark.parametrize(
    ("via", "sentence"),
    [
        (Generic("sort", "key", type="user"), "Generic names sort"),
        (Generic("kind", "moment", type="user"), "moment can't hold the primary key"),
        (
            Generic("moment", "key", type="user"),
            "moment is not text, and does not refer to a table",
        ),
    ],
)
def test_a_pair_that_cannot_be_followed_is_refused(via, sentence):
    metadata = MetaData()
    Table(
        "users",
        metadata,
        Column("id", BigInteger, primary_key=True),
        Column("deleted_at", DateTime),
        data_subject(),
    )
    Table(
        "log",
        metadata,
        Column("id", BigInteger, primary_key=True),
        Column("kind", String(20)),
        Column("key", BigInteger),
        Column("moment", DateTime),
        on_close(Delete(), via=via),
    )

    problems = Eraser(Policy.from_metadata(metadata), secret="a key for the tests").check()

    assert [p.text for p in problems if p.code == "E201" and sentence in p.text]
