"""A first policy from names and types: it can be read, says how sure it is, and decides no more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
)

from efface import (
    Clear,
    Delete,
    Placeholder,
    Policy,
    Redact,
    Replace,
    ReplaceMentions,
    Revoke,
    Unlink,
    data_subject,
    on_close,
    personal,
)
from efface.policy.check import check
from efface.policy.draft import draft
from efface.policy.schema_drift import reflect
from tests.support.schemas import forum
from tests.support.schemas.lobsters.schema import lobsters


@pytest.fixture
def drafted(tmp_path):
    """Return text and policy that `draft` makes of a schema."""

    def make(metadata):
        text = draft(metadata)
        path = tmp_path / "efface.toml"
        path.write_text(text, encoding="utf-8")
        return text, Policy.from_file(path, metadata)

    return make


def people(*columns, name="users", deleted_at=True):
    metadata = MetaData()
    gone = [Column("deleted_at", DateTime(timezone=True))] if deleted_at else []
    Table(name, metadata, Column("id", Integer, primary_key=True), *gone, *columns)
    return metadata


def beside(text, start):
    """The comment on the line of the draft that begins with *start*."""
    (line,) = [line for line in text.splitlines() if line.strip().startswith(start)]
    return line.partition(" # ")[2] or line.partition("# ")[2]


@pytest.mark.parametrize("schema", ["models", "database"])
def test_a_draft_is_a_policy_without_impossible_actions(drafted, schema):
    metadata = lobsters()
    if schema == "database":
        engine = create_engine("sqlite://")
        metadata.create_all(engine)
        metadata = reflect(engine)
        engine.dispose()

    text, policy = drafted(metadata)

    assert {p.code for p in check(policy)} == {"E101", "W101"}
    assert policy.subject_table.name == "users"
    assert all(f"# no rule: {p.column}," in text for p in check(policy) if p.code == "E101"
               and p.column)  # fmt: skip


def test_every_guess_says_how_sure_it_is(drafted):
    text, policy = drafted(lobsters())

    decided = [name for rule in policy.tables.values() for name, marks in rule.columns.items()
               if marks]  # fmt: skip
    lines = [line for line in text.splitlines() if " # " in line]
    assert len(lines) == len(decided)
    assert all(line.partition(" # ")[2].startswith(("sure: ", "likely: ", "a guess: "))
               for line in lines)  # fmt: skip


def test_references_without_a_key_are_proposed_as_links_and_not_decided(drafted):
    """The three of the site's schema that its database does not declare, and an address."""
    text, policy = drafted(lobsters())

    for table, column in (
        ("messages", "author_user_id"),
        ("moderations", "user_id"),
        ("domains", "banned_by_user_id"),
    ):
        link = f'#   via = {{link = "MatchBy", column = "{column}", equals = "users.id"}}'
        assert f"# likely: {column} refers to users.id without a foreign key." in text
        assert link in text
        assert [m for m in policy.tables[table].close_rules if m.via == column] == []
    assert "# a guess: email refers to users.email without a foreign key." in text


def test_a_reference_of_another_type_is_a_guess(drafted):
    metadata = people()
    Table("notes", metadata, Column("user_id", String(20)), Column("keeper_id", Integer))

    text, _ = drafted(metadata)

    assert "# a guess: user_id refers to users.id" in text
    assert "keeper_id refers" not in text


@pytest.mark.parametrize(
    ("column", "action"),
    [
        (Column("email", String(80), unique=True, nullable=False), Placeholder.email()),
        (Column("email", String(20)), Clear()),
        (Column("userName", String(80)), Placeholder()),
        (Column("login", String(20), nullable=False), Placeholder()),
        (Column("passwordHash", String(80), nullable=False), Replace("")),
        (Column("secret", LargeBinary, nullable=False), Replace(b"")),
        (Column("session_token", String(75), nullable=False, unique=True), Placeholder()),
        (Column("first_name", String(80)), Clear()),
        (Column("name", String(80), nullable=False), Replace("")),
        (Column("last_login", DateTime), Clear()),
        (Column("birthday", DateTime), Clear()),
        (Column("phone", String(80)), Clear()),
        (Column("avatar_url", String(80)), Clear()),
        (Column("description", String(80)), ReplaceMentions("a former member")),
        (Column("whatever", Text), ReplaceMentions("a former member")),
        (Column("is_from_email", Boolean), None),
        (Column("created_at", DateTime), None),
    ],
)
def test_names_and_types_suggest_what_goes(drafted, column, action):
    _, policy = drafted(people(column))

    (mark,) = policy.tables["users"].columns[column.name]
    assert mark.action == action
    assert check(policy) == ()


@pytest.mark.parametrize(
    "column",
    [
        Column("colour", String(8)),
        Column("locale", String(8)),
        Column("account_type", String(8)),
        Column("kind", Text, unique=True),
        Column("arrested_at", DateTime),
        Column("salary_amount", Integer),
        Column("karma", Integer),
        Column("email_wanted", Boolean),
        Column("birthday", DateTime, nullable=False),
        Column("title", String(8), unique=True),
    ],
)
def test_what_cannot_be_guessed_stays_undecided(drafted, column):
    text, policy = drafted(people(column))

    assert [(p.code, p.place) for p in check(policy)] == [("E101", f"users.{column.name}")]
    assert f"# no rule: {column.name}, " in text


def linked(name, *columns, part_of_user=False, on_delete=None):
    """A table with a reference to users; its rows may be deleted with their user."""
    metadata = people()
    key = Column("id", Integer, primary_key=True)
    on_delete = "CASCADE" if part_of_user else on_delete
    user = ForeignKey("users.id", ondelete=on_delete)
    Table(name, metadata, key, Column("user_id", user, index=True, nullable=not part_of_user),
          *columns)  # fmt: skip
    return metadata


@pytest.mark.parametrize(
    ("name", "columns", "action", "sureness"),
    [
        ("user_sessions", [Column("data", Text)], Revoke(), "sure"),
        ("likes", [Column("stars", Integer)], Delete(), "likely"),
        ("x", [Column("created_at", DateTime)], Delete(), "likely"),
        ("posts", [Column("body", Text)], Redact(), "likely"),
    ],
)
def test_names_of_tables_suggest_what_happens_to_rows(drafted, name, columns, action, sureness):
    text, policy = drafted(linked(name, *columns, part_of_user=True))

    assert [(m.action, m.via) for m in policy.tables[name].close_rules] == [(action, "user_id")]
    (line,) = [i for i, line in enumerate(text.splitlines())
               if line == f"[[tables.{name}.on_close]]"]  # fmt: skip
    above = "\n".join(text.splitlines()[:line])
    assert f"# {sureness}: " in above.rpartition("\n\n")[2]
    assert check(policy) == ()


@pytest.mark.parametrize("said", [None, "SET NULL", "RESTRICT", "NO ACTION", "CASCADE"])
def test_rows_that_may_outlast_their_user_are_kept_without_the_reference(drafted, said):
    text, policy = drafted(linked("likes", Column("stars", Integer), on_delete=said))

    (rule,) = policy.tables["likes"].close_rules
    assert (rule.action, rule.via) == (Redact(), "user_id")
    assert policy.tables["likes"].columns["user_id"][0].action == Unlink()
    assert "the model does not delete it with its user" in text
    assert "likely: its model lets the row outlast its user" in text


def test_rows_that_others_refer_to_are_kept(drafted):
    metadata = linked("likes", Column("stars", Integer), part_of_user=True)
    Table("replies", metadata, Column("like_id", ForeignKey("likes.id")), Column("body", Text))

    _, policy = drafted(metadata)

    assert [rule.action for rule in policy.tables["likes"].close_rules] == [Redact()]
    assert not policy.tables["replies"].has_rules


@pytest.mark.parametrize("second", [True, False])
def test_what_is_no_credential_for_certain_stays_undecided(drafted, second):
    metadata = linked("sessions", Column("title", Text), part_of_user=True)
    if second:
        trainer = Column("trainer_id", ForeignKey("users.id"))
        metadata.tables["sessions"].append_column(trainer)
    else:
        Table("visits", metadata, Column("session_id", ForeignKey("sessions.id")))

    text, policy = drafted(metadata)

    assert not policy.tables["sessions"].has_rules
    assert "Are these rows credentials?" in text


def test_what_only_mentions_a_row_of_a_user_stays_undecided(drafted):
    metadata = linked("posts", Column("body", Text))
    Table("reports", metadata, Column("post_id", ForeignKey("posts.id")), Column("body", Text))

    text, policy = drafted(metadata)

    assert not policy.tables["reports"].has_rules
    assert "# no rule: reports, related by post_id. Whose are these rows?" in text


@pytest.mark.parametrize("name", ["invoices", "seed_orders", "things"])
def test_records_and_the_unknown_stay_undecided(drafted, name):
    text, policy = drafted(linked(name, Column("total", Integer), Column("x", Integer)))

    assert [(p.code, p.place) for p in check(policy)] == [("E101", name)]
    assert f"# no rule: {name}, related by user_id." in text


def test_a_table_behind_another_goes_with_it(drafted):
    metadata = linked("posts", Column("body", Text), part_of_user=True)
    Table(
        "pictures",
        metadata,
        Column("post_id", ForeignKey("posts.id", ondelete="CASCADE"), nullable=False, index=True),
        Column("body", Text),
    )
    Table("invoices", metadata, Column("id", Integer, primary_key=True),
          Column("user_id", ForeignKey("users.id")))  # fmt: skip
    Table("lines", metadata, Column("invoice_id", ForeignKey("invoices.id")))

    text, policy = drafted(metadata)

    (mark,) = policy.tables["pictures"].close_rules
    assert (mark.action, mark.via) == (Redact(), "post_id")
    assert "# no rule: lines. It refers to invoices: add rules there first." in text


def test_lists_of_the_application_are_unrelated_unless_a_person_is_in_them(drafted):
    metadata = people()
    Table("countries", metadata, Column("title", String(80)))
    for name, column in (
        ("user_roles", "email"),
        ("roles", "user"),
        ("permissions", "granted_by"),
        ("units", "remark"),
        ("categories", "owner_name"),
    ):
        Table(name, metadata, Column(column, String(80)))

    _, policy = drafted(metadata)

    assert [name for name, rules in policy.tables.items() if rules.no_personal_data] == [
        "countries"
    ]


def test_of_several_links_the_authors_is_taken_for_what_was_written(drafted):
    metadata = linked("messages", Column("sender_id", ForeignKey("users.id"), index=True),
                      Column("body", Text))  # fmt: skip

    _, policy = drafted(metadata)

    assert policy.tables["messages"].columns["body"][0].via == "sender_id"
    assert check(policy) == ()


def test_a_missing_tombstone_is_named_with_the_migration(drafted):
    text, _ = drafted(people(deleted_at=False))

    assert "# missing: the column deleted_at." in text
    assert 'op.add_deleted_at("users")' in text


def test_without_people_nothing_is_decided_in_their_name(drafted):
    text, policy = drafted(people(Column("colour", String), name="cars"))

    assert "No table looks like the users' table" in text
    assert [name for name, rule in policy.tables.items() if rule.has_rules] == []


def test_the_likelier_of_two_tables_of_people_is_taken(drafted):
    metadata = linked("posts", Column("body", Text))
    Table("old_members", metadata, Column("id", Integer, primary_key=True))

    text, policy = drafted(metadata)

    assert policy.subject_table.name == "users"
    assert "# the users' table · likely: the name of the table, a table refers to it" in text


WORDS = ("type", "kind", "status", "name", "email", "is_admin", "locale", "version", "count")


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=3))
def test_no_text_is_ever_decided_to_be_not_personal(words):
    name = "_".join(words)
    for type_ in (String(20), Text(), JSON(), LargeBinary()):
        text = draft(people(Column(name, type_)))

        assert "not_personal" not in text


def test_what_carries_a_marker_is_left_alone(drafted):
    metadata = MetaData()
    key = Column("id", Integer, primary_key=True)
    gone = Column("deleted_at", DateTime(timezone=True))
    phone = Column("phone", String(20), personal(Replace("")))
    Table("users", metadata, key, gone, phone, Column("city", String(20)), data_subject())
    author = Column("author_id", ForeignKey("users.id"), index=True)
    Table("posts", metadata, author, Column("body", Text), on_close(Redact(), via="author_id"))

    _, policy = drafted(metadata)

    assert check(policy) == ()
    assert policy.tables["users"].columns["phone"][0].action == Replace("")
    assert drafted(forum.Base.metadata)[1].digest == forum.eraser().policy.digest
