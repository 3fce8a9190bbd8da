"""`efface.testing`: what it asserts holds where it should, and fails where it should."""

import re
import sys
from types import ModuleType

import pytest
from sqlalchemy import (
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    func,
    select,
    text,
    update,
)
from sqlalchemy.orm import Session

from efface import (
    Clear,
    Policy,
    Redact,
    data_subject,
    no_personal_data,
    not_personal,
    on_close,
    personal,
)
from efface.testing import assert_no_trace, assert_policy_complete, populate
from tests.support.paths import DOCS
from tests.support.schemas import forum, odds
from tests.testing.worlds import FORUM, found_in

PAGE = DOCS / "how-to" / "testing.md"


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
