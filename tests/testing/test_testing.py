"""`efface.testing`: what it asserts holds where it should, and fails where it should."""

import re
import sys
from types import ModuleType

import pytest
from sqlalchemy import (
    Column,
    DateTime,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    func,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from efface import (
    Clear,
    Eraser,
    Generic,
    Policy,
    Redact,
    data_subject,
    no_personal_data,
    not_personal,
    on_close,
    personal,
)
from efface.errors import SubjectTableError
from efface.testing import assert_no_trace, assert_policy_complete, populate
from garden.models import Base as Garden
from tests.support.paths import DOCS
from tests.support.schemas import crew, forum, odds, tangle
from tests.support.schemas.lobsters.policy import leaving
from tests.support.schemas.lobsters.schema import lobsters

PAGE = DOCS / "how-to" / "testing.md"
KEY = "a key for tests, long enough"
SCHEMAS = {
    "forum": lambda _: forum.Base.metadata,
    "tangle": lambda _: tangle.metadata,
    "crew": lambda _: crew.Base.metadata,
    "garden": lambda _: Garden.metadata,
    "lobsters": lambda _: lobsters(leaving()),
    "odds": odds.of,
}
FORUM = Policy.from_metadata(forum.Base.metadata)


# Two of them in the quick run; filled whole, the others take their time.
WORLDS = [
    pytest.param(name, marks=[pytest.mark.slow] * (name not in ("forum", "garden")))
    for name in SCHEMAS
]


@pytest.fixture
def populated(database):
    """Make worlds, and end them before the database goes."""
    worlds = []

    def make(metadata):
        worlds.append(World(database, metadata))
        return worlds[-1]

    yield make
    for each in worlds:
        each.session.close()


@pytest.fixture
def world(request, database, populated):
    """A database with the tables of one schema, and the person and the bystander in it."""
    return populated(SCHEMAS[getattr(request, "param", "forum")](database))


class World:
    """Two people in a schema, in one transaction."""

    def __init__(self, engine, metadata):
        metadata.create_all(engine)
        self.metadata, self.policy = metadata, Policy.from_metadata(metadata)
        self.eraser = Eraser(self.policy, secret=KEY)
        self.eraser.create_tables(engine)
        self.session = Session(engine)
        self.people = populate(self.session, self.policy)
        self.session.commit()

    def close(self, somebody):
        self.eraser.close_account(self.session, somebody.key, actor="test")
        self.session.commit()

    def look_for(self, somebody, **options):
        assert_no_trace(self.session, self.policy, somebody.traces, **options)

    def rows(self, table):
        return self.session.execute(select(table)).mappings().all()


# ---------------------------------------------------------------- populate


@pytest.mark.parametrize("world", WORLDS, indirect=True)
def test_a_person_is_in_every_column_and_leaves_no_trace(world):
    """The whole story, for any schema: filled, seen, closed, not seen any more."""
    person, bystander = world.people.user, world.people.bystander
    for table in world.metadata.tables.values():
        rows = world.rows(table)
        assert len(rows) >= 2, table.name
        empty = [
            column.name
            for column in table.columns
            if not any(r[column.name] != None for r in rows)  # noqa: E711
        ]
        assert empty in ([], ["deleted_at"]), table.name
    for somebody in (person, bystander):
        with pytest.raises(AssertionError, match="still contains an identifier"):
            world.look_for(somebody)

    world.close(person)

    world.look_for(person)
    world.look_for(person, subject=person.key)
    with pytest.raises(AssertionError):
        world.look_for(bystander)
    world.close(bystander)
    world.look_for(bystander)


@pytest.mark.parametrize("world", WORLDS, indirect=True)
def test_the_bystander_does_not_notice(world):
    """In rows of the bystander's own; those that both share keep what is the bystander's."""
    person, bystander = world.people.user, world.people.bystander

    def left():
        found = []
        for somebody in (bystander, person):
            try:
                world.look_for(somebody)
            except AssertionError as error:
                found.append(dict(re.findall(r"\n  (\S+)  (\d+) row", str(error))))
            else:
                found.append({})
        return found

    before, _ = left()
    world.close(person)
    after, gone = left()

    assert gone == {}
    assert before.keys() == after.keys()
    own = world.policy.subject_table.fullname
    assert {p: n for p, n in before.items() if p.startswith(own)} == {
        p: n for p, n in after.items() if p.startswith(own)
    }


def test_markers_stand_in_one_column_each(world):
    markers = world.people.user.markers

    assert {"users.bio", "orders.note", "posts.ip", "invoices.billing_name"} <= markers.keys()
    assert len(set(markers.values())) == len(markers)
    for place, word in markers.items():
        if not place.startswith("invoices."):  # kept
            assert found_in(world, [word]).keys() == {place}


def test_text_that_is_edited_names_the_person_and_text_of_nobody_does_not(world):
    email, *_ = world.people.user.identifiers
    post, *_ = world.rows(forum.Post.__table__)

    assert email in post["body"]
    assert not any(word in post["title"] for word in world.people.user.traces)
    assert "posts.body" not in world.people.user.markers


def test_links_by_value_and_shared_rows_lead_to_the_person(populated):
    world = populated(tangle.metadata)
    key, other = world.people.user.key, world.people.bystander.key

    letters = {(m["sender_id"], m["recipient_id"]) for m in world.rows(tangle.messages)}
    teams = {t["owner_id"] for t in world.rows(tangle.teams)}
    scores = {(s["season"], s["number"]) for s in world.rows(tangle.scores)}

    assert letters == {(key, key), (other, other), (key, other), (other, key)}
    assert teams == {key, other}
    assert len(scores) == 2


@pytest.mark.parametrize("is_text", [True, False])
@pytest.mark.parametrize("is_known", [True, False])
def test_generic_pairs_lead_to_people(database, is_text, is_known):
    """A kind is a text, or a row in a table of kinds, which may be there before."""
    metadata = MetaData()
    Table(
        "people",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("name", String(200), personal(Clear())),
        Column("deleted_at", DateTime(timezone=True)),
        data_subject(identifiers=["name"]),
    )
    kinds = Table(
        "kinds",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("app", String(50)),
        Column("model", String(50)),
        UniqueConstraint("app", "model"),
        no_personal_data(reason="names of models"),
    )
    kind = Column("kind", String(50)) if is_text else Column("kind", ForeignKey("kinds.id"))
    log = Table("log", metadata, Column("id", Integer, primary_key=True), kind,
                Column("key", Text), Column("said", Text, personal(Clear())),
                on_close(Redact(), via=Generic("kind", "key", type="town.person")))  # fmt: skip
    metadata.create_all(database)
    with database.begin() as connection:
        if is_known:
            connection.execute(kinds.insert().values(id=7, app="town", model="person"))

        people = populate(connection, metadata)

    sides = [people.user.key, people.bystander.key]
    with database.connect() as connection:
        found = connection.execute(select(log.c.kind, log.c.key).order_by(log.c.id)).all()
        named = select(kinds.c.id).where(kinds.c.app == "town", kinds.c.model == "person")
        expected = "town.person" if is_text else connection.scalars(named).one()
    assert found == [(expected, str(key)) for key in sides]


def test_views_are_left_as_they_are(database):
    metadata = MetaData()
    Table(
        "people",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("deleted_at", DateTime(timezone=True)),
        data_subject(),
    )
    Table("names", metadata, Column("id", Integer, primary_key=True),
          no_personal_data(reason="a view"))  # fmt: skip
    metadata.create_all(database, tables=[metadata.tables["people"]])
    with database.begin() as connection:
        kind = "VIEW" if database.dialect.name == "sqlite" else "MATERIALIZED VIEW"
        connection.execute(text(f"CREATE {kind} names AS SELECT 1 AS id"))

        people = populate(connection, metadata)

    assert people.user.key != people.bystander.key


def test_it_can_be_done_twice_beside_real_people(database):
    forum.create(database)
    with Session(database) as session:
        first = populate(session, FORUM)
        second = populate(session, FORUM)
        found = {row.id for row in session.execute(select(forum.User.__table__))}
    keys = {first.user.key, first.bystander.key, second.user.key, second.bystander.key}

    assert len(keys) == 4
    assert found == keys | {1, 2}
    assert not set(first.user.traces) & set(second.user.traces)


def test_the_caller_commits_and_gives_the_token(database):
    forum.Base.metadata.create_all(database)
    with database.connect() as connection:
        people = populate(connection, forum.Base.metadata, token=lambda: "0000abcd")
        connection.rollback()
        assert connection.scalar(select(func.count()).select_from(forum.User.__table__)) == 0

    assert people.user.identifiers[0] == "p0000abcd0@email.example.org"
    assert people.bystander.identifiers[0] == "b0000abcd0@email.example.org"


def test_constraints_are_fulfilled(database, populated):
    world = populated(odds.of(database))
    homes, people = world.rows(odds.homes), world.rows(odds.people)

    assert {home["kind"] for home in homes} <= {"house", "flat"}
    assert all(0 < home["rooms"] < 20 < home["doubled"] + home["area"] for home in homes)
    assert all(18 <= person["age"] <= 90 and len(person["code"]) == 4 for person in people)
    assert all(person["seen_at"].date() > person["born_on"] for person in people)


class TestUnknownTypes:
    """Columns that only the application can fill."""

    @pytest.fixture
    def metadata(self):
        metadata = MetaData()
        Table(
            "people",
            metadata,
            Column("id", Integer, primary_key=True),
            Column("email", String(40), personal(Clear())),
            Column("place", odds.Point, personal(Clear()), nullable=False),
            Column("other", odds.Point, personal(Clear())),
            data_subject(identifiers=["email"], deleted_at="email"),
        )
        return metadata

    def test_they_are_named_before_anything_is_inserted(self, metadata, database):
        metadata.create_all(database)
        with database.connect() as connection:
            with pytest.raises(ValueError, match=r'values={"people.place": \.\.\.}'):
                populate(connection, metadata)
            assert connection.scalar(text("SELECT count(*) FROM people")) == 0

    def test_they_take_the_values_given(self, metadata, database):
        metadata.create_all(database)
        with database.connect() as connection:
            given = {"people.place": "0 0", "people.email": lambda number: f"{number}@x.example"}
            people = populate(connection, metadata, values=given)
            found = connection.execute(text("SELECT place, other, email FROM people")).all()

        assert {row[:2] for row in found} == {("0 0", None)}
        assert {row[2] for row in found} == {"9000@x.example", "9001@x.example"}
        assert people.user.identifiers == ("9000@x.example",)


def test_what_the_database_refuses_says_how_to_go_on(database):
    metadata = MetaData()
    Table(
        "people",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("email", String(40), personal(Clear())),
        data_subject(identifiers=["email"]),
    )
    metadata.create_all(database)
    with database.connect() as connection:
        connection.execute(text("CREATE UNIQUE INDEX one_only ON people ((id > 0))"))
        with pytest.raises(IntegrityError) as refused:
            populate(connection, metadata)

    assert 'values={"people.<column>": ...}' in refused.value.__notes__[0]


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_circle_that_no_row_can_begin_is_named(database, deferrable):
    """SQLite can check every key later; elsewhere the key has to say so."""
    metadata = MetaData()
    home = ForeignKey("homes.id", use_alter=True, name="home", deferrable=deferrable or None)
    Table("people", metadata, Column("id", Integer, primary_key=True),
          Column("home_id", home, nullable=False), Column("deleted_at", DateTime(timezone=True)),
          data_subject())  # fmt: skip
    owner = Column("owner_id", ForeignKey("people.id"), nullable=False, index=True)
    Table("homes", metadata, Column("id", Integer, primary_key=True), owner,
          on_close(Redact(), via="owner_id"))  # fmt: skip
    metadata.create_all(database)

    with database.begin() as connection:
        if deferrable or database.dialect.name == "sqlite":
            assert populate(connection, metadata).user.key
            return
        with pytest.raises(
            ValueError, match=r"none of them can have the first row: homes, people\."
        ):
            populate(connection, metadata)


def test_without_people_there_is_nobody_to_populate():
    with pytest.raises(SubjectTableError):
        populate(None, MetaData())


# ---------------------------------------------------------------- assert_policy_complete


@pytest.mark.parametrize("given", [FORUM, forum.Base.metadata])
def test_a_policy_that_decides_everything_passes(given):
    assert_policy_complete(given)


def test_what_is_undecided_fails_with_the_lines_to_paste():
    metadata = MetaData()
    Table("people", metadata, Column("id", Integer, primary_key=True), Column("name", Text))

    with pytest.raises(AssertionError) as found:
        assert_policy_complete(metadata)
    assert "E102" in str(found.value)

    data_subject()._set_parent(metadata.tables["people"])
    with pytest.raises(AssertionError) as found:
        assert_policy_complete(metadata)
    assert "people.name" in str(found.value)
    assert "personal(Clear())" in str(found.value)


def test_a_link_that_leads_nowhere_fails():
    metadata = MetaData()
    forum.User.__table__.to_metadata(metadata)
    Table("others", metadata, Column("id", Integer, primary_key=True), no_personal_data(reason="x"))
    lost = Column("other_id", ForeignKey("others.id"))
    Table("notes", metadata, lost, on_close(Redact(), via="other_id"))

    with pytest.raises(AssertionError, match="E201"):
        assert_policy_complete(metadata)


# ---------------------------------------------------------------- assert_no_trace


@pytest.fixture
def empty(world):
    """A world that the person has left."""
    world.close(world.people.user)
    return world


def found_in(world, identifiers, **options):
    """The places and numbers of rows of an assertion that fails."""
    with pytest.raises(AssertionError) as found:
        assert_no_trace(world.session, world.policy, identifiers, **options)
    assert not any(word in str(found.value) for word in identifiers)
    return dict(re.findall(r"\n  (\S+)  (\d+ rows?)", str(found.value)))


@pytest.mark.parametrize(
    ("table", "values"),
    [
        ("posts", {"title": "by Ada Lovelace"}),
        ("posts", {"title": "BY ADA LOVELACE!"}),
        ("posts", {"details": {"by": [{"name": "Ada Lovelace"}]}}),
        ("posts", {"details": {"Ada Lovelace": 1}}),
        ("users_tokens", {"token": b"for Ada Lovelace"}),
        ("users_tokens", {"token": b'{"for": "Ada\\u0020Lovelace"}'}),
        ("categories", {"title": "Ada Lovelace"}),
        ("newsletter", {"address": "Ada Lovelace <a@b.example>"}),
    ],
)
def test_a_trace_is_found_wherever_it_is(empty, table, values):
    target = empty.metadata.tables[table]
    empty.session.execute(update(target).values(values))
    rows = empty.session.scalar(select(func.count()).select_from(target))

    assert found_in(empty, ["Ada Lovelace"]) == {
        f"{table}.{next(iter(values))}": f"{rows} row{'s' if rows > 1 else ''}"
    }


def test_escapes_of_json_are_read(empty):
    posts = empty.metadata.tables["posts"]
    document = text("""UPDATE posts SET details = '{"by": "Jos\\u00e9 Garc\\u00eda"}'""")
    empty.session.execute(document)
    number = empty.session.scalar(select(func.count()).select_from(posts))

    assert found_in(empty, ["José García"]) == {"posts.details": f"{number} rows"}


def test_numbers_are_read_as_text(empty):
    empty.session.execute(update(empty.metadata.tables["invoices"]).values(total=1234567))

    assert "invoices.total" not in found_in(empty, [empty.people.bystander.identifiers[0]])
    assert_no_trace(empty.session, empty.policy, ["1234567"])
    free = Policy.from_metadata(unmarked(forum.Base.metadata))
    with pytest.raises(AssertionError, match=r"invoices\.total"):
        assert_no_trace(empty.session, free, ["1234567"])


def unmarked(metadata):
    copy = MetaData()
    for table in metadata.tables.values():
        columns = [Column(c.name, c.type, primary_key=c.primary_key) for c in table.columns]
        Table(table.name, copy, *columns)
    return copy


def test_arrays_are_read(database, populated):
    if database.dialect.name != "postgresql":
        return
    world = populated(odds.of(database))
    word = "Ada Lovelace"
    for column, value in (("tags", ["x", word]), ("grid", [["x"], [word]]), ("facts", [word])):
        world.session.execute(update(world.metadata.tables["arrays"]).values({column: value}))
        assert found_in(world, [word]) == {f"arrays.{column}": "2 rows"}
        world.session.rollback()


def test_part_of_a_word_is_no_trace(empty):
    empty.session.execute(update(empty.metadata.tables["posts"]).values(title="Canadaday"))

    assert_no_trace(empty.session, empty.policy, ["nada", "anada", "Canadada"])
    assert found_in(empty, ["canadaday"]) == {"posts.title": "2 rows"}


def test_records_that_are_kept_are_left_out_and_those_of_others_are_not(empty):
    """Without a key nobody knows whose record it is."""
    person, bystander = empty.people.user, empty.people.bystander
    invoices = empty.metadata.tables["invoices"]
    orders = empty.metadata.tables["orders"]
    theirs = select(orders.c.id).where(orders.c.user_id == bystander.key)
    named = update(invoices).where(invoices.c.order_id.in_(theirs))
    empty.session.execute(named.values(billing_name="Ada Lovelace"))

    assert_no_trace(empty.session, empty.policy, ["Ada Lovelace"])
    assert_no_trace(empty.session, empty.policy, ["Ada Lovelace"], subject=bystander.key)
    assert found_in(empty, ["Ada Lovelace"], subject=person.key) == {
        "invoices.billing_name": "1 row"
    }


def test_places_can_be_named_that_are_known_to_keep(empty):
    empty.session.execute(update(empty.metadata.tables["posts"]).values(title="Ada Lovelace"))
    empty.session.execute(update(empty.metadata.tables["categories"]).values(title="Ada Lovelace"))

    assert_no_trace(
        empty.session, empty.policy, ["Ada Lovelace"], kept=["posts.title", "categories"]
    )
    assert found_in(empty, ["Ada Lovelace"], kept=["posts"]) == {"categories.title": "2 rows"}


def test_our_own_table_is_read_as_well(empty):
    empty.session.execute(text("UPDATE efface_closings SET actor = 'Ada Lovelace'"))

    assert found_in(empty, ["Ada Lovelace"]) == {"efface_closings.actor": "1 row"}


@pytest.mark.parametrize("identifiers", [[], [""], ["Al"], [None]])
def test_nothing_to_look_for_is_no_success(identifiers):
    with pytest.raises(ValueError, match="nothing to search for"):
        assert_no_trace(None, FORUM, identifiers)


def test_keys_that_are_text_stay(database):
    metadata = MetaData()
    Table(
        "people",
        metadata,
        Column("login", String(40), primary_key=True),
        Column("name", String(40), personal(Clear())),
        Column("deleted_at", String(40)),
        data_subject(identifiers=["login", "name"]),
    )
    Table(
        "notes",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("login", ForeignKey("people.login"), index=True),
        Column("blob", LargeBinary, not_personal()),
        on_close(Redact(), via="login"),
    )
    metadata.create_all(database)
    with database.connect() as connection:
        person = populate(connection, metadata).user
        connection.execute(update(metadata.tables["people"]).values(name=None))
        assert_no_trace(connection, metadata, person.traces)
        connection.execute(update(metadata.tables["notes"]).values(blob=person.key.encode()))
        with pytest.raises(AssertionError, match=r"notes\.blob  2 rows"):
            assert_no_trace(connection, metadata, person.traces)


# ---------------------------------------------------------------- the page


def test_the_page_runs(monkeypatch):
    engine, names = create_engine("sqlite://"), {}
    monkeypatch.setitem(sys.modules, "myapp", ModuleType("myapp"))
    tests, loose = [], []
    for code in re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        if not (named := re.match(r"# ([\w/]+)\.py\n", code)):
            loose.append(code)
            continue
        module = ModuleType(named[1].replace("/", "."))
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(compile(code, str(PAGE), "exec"), module.__dict__)
        names |= module.__dict__
        tests += [value for name, value in vars(module).items() if name.startswith("test_")]
    names["Base"].metadata.create_all(engine)
    names["eraser"].create_tables(engine)

    with Session(engine) as session:
        for test in tests:
            test(*([session] if test.__code__.co_argcount else []))
        for code in loose:
            exec(compile(code, str(PAGE), "exec"), names | {"session": session})
        written = session.scalars(text("SELECT body FROM posts WHERE body LIKE 'Post %'")).all()
    engine.dispose()

    assert len(tests) == len(loose) == 2
    assert len(written) == 2
