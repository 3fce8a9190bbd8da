"""``efface check`` and ``efface draft``: problems, the live schema, a table, a first policy."""

import json

import pytest
from sqlalchemy import text

from tests.cli.conftest import ERASER
from tests.support.databases import emptied

UNDECIDED = """
from sqlalchemy import Column, DateTime, ForeignKey, Integer, MetaData, String, Table
from efface import data_subject, on_close, Delete

metadata = MetaData()
Table("people", metadata, Column("id", Integer, primary_key=True), Column("name", String(20)),
      Column("deleted_at", DateTime), data_subject())
Table("notes", metadata, Column("person_id", ForeignKey("people.id")),
      on_close(Delete(), via="person_id"))
Table("lost", metadata, Column("id", Integer, primary_key=True),
      on_close(Delete(), via="nothing"))
"""


@pytest.fixture
def undecided(efface):
    """Models with an undecided column, a link that leads nowhere, and one without an index."""
    (efface.project / "undecided_models.py").write_text(UNDECIDED)
    return "undecided_models:metadata"


def cells(markdown):
    """The rows of a Markdown table as lists."""
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in markdown.splitlines()]


def test_a_decided_policy_is_said_to_be_one(efface):
    result = efface("check", "--eraser", ERASER)

    assert result.exit_code == 0
    assert result.stdout == "7 tables, 28 columns: no problems.\n"


def test_everything_is_reported_at_once_grouped_by_table(efface, undecided):
    result = efface("check", "--models", undecided)

    assert result.exit_code == 1
    for line in (
        "  people",
        "    E101 name has no rule. Add one of these to the column:",
        "        personal(Clear())",
        "        not_personal()",
        "  lost",
        "    E201 The relationship nothing names nothing, which is not a column.",
        "    W102 person_id has no index, so each account closure reads the whole table. Add one:",
        "3 tables, 5 columns: 2 errors and 1 warning.",
    ):
        assert line in result.stdout.splitlines()


@pytest.mark.parametrize(("strict", "status"), [([], 0), (["--strict"], 1)])
def test_a_warning_stops_only_who_is_strict(efface, tmp_path, strict, status):
    (efface.project / "slow_models.py").write_text(
        UNDECIDED.replace('Column("name", String(20)),', "").partition('Table("lost"')[0]
    )

    result = efface("check", "--models", "slow_models:metadata", *strict)

    assert result.exit_code == status
    assert "W102" in result.stdout


def test_the_json_of_a_check_holds_every_problem(efface, undecided):
    result = efface("check", "--models", undecided, "--json")

    data = json.loads(result.stdout)
    assert result.exit_code == 1
    assert data["errors"] == 2
    assert [(p["code"], p["level"]) for p in data["problems"]] == [
        ("W102", "warning"),
        ("E101", "error"),
        ("E201", "error"),
    ]


def test_the_live_schema_is_compared_where_a_database_is_named(efface, database, engine):
    clean = efface("check", "--eraser", ERASER, "--database", database)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE users ADD COLUMN phone TEXT"))

    drifted = efface("check", "--eraser", ERASER, "--database", database)

    assert clean.exit_code == 0
    assert drifted.exit_code == 1
    assert (
        "E108 phone is in the database, but not in the model, so it has no rule." in drifted.stdout
    )


def test_without_people_the_links_are_not_followed(efface):
    (efface.project / "nobody.py").write_text(
        "from sqlalchemy import MetaData\nmetadata = MetaData()\n"
    )

    result = efface("check", "--models", "nobody:metadata")

    assert result.exit_code == 1
    assert "E102" in result.stdout


def test_every_decision_is_printed_as_a_markdown_table(efface):
    result = efface("check", "--eraser", ERASER, "--table")

    lines = cells(result.stdout)
    assert result.exit_code == 0
    assert lines[0] == ["Table", "Column", "Action", "Level", "Reason"]
    assert all(set(cell) == {"-"} for cell in lines[1])
    for line in (
        ["categories", "*", "no_personal_data", "not personal", "a fixed list"],
        ["users_tokens", "*", "revoke", "deleted", "through user_id"],
        ["posts", "author_id", "stays", "pseudonymized", "refers to the tombstone row"],
        ["posts", "body", "replace mentions", "redacted, not verified", ""],
        ["posts", "title", "not personal", "unchanged", ""],
        ["users", "deleted_at", "set", "", "marks a closed account"],
        ["users", "*", "redact", "leaves a tombstone row", "the user's own row"],
    ):
        assert line in lines
    (kept,) = [line for line in lines if line[0] == "invoices"]
    assert kept[2:] == ["retain", "kept P10Y", "legal obligation: tax law; through order_id"]


def test_what_is_undecided_stands_in_the_table_too(efface, undecided):
    result = efface("check", "--models", undecided, "--table")

    lines = cells(result.stdout)
    assert ["people", "name", "no rule", "", ""] in lines


# ---------------------------------------------------------------- draft


def test_a_draft_of_models_and_of_their_database_agree(efface, database):
    models = efface("draft", "--models", "tests.support.schemas.forum:Base")
    reflected = efface("draft", "--database", database)

    assert models.exit_code == reflected.exit_code == 0
    assert "[[tables.users_tokens.on_close]]" in reflected.stdout
    assert "efface_closings" not in reflected.stdout


def test_a_draft_can_be_checked_until_it_is_decided(efface, database):
    draft = efface("draft", "--database", database).stdout
    (efface.project / "efface.toml").write_text(draft)
    named = ["--policy", "efface.toml", "--database", database]

    first = efface("check", *named)
    decided = 'no_personal_data = {reason = "a test"}\n'
    more = "".join(f"[tables.{name}]\n{decided}" for name in ("invoices", "newsletter", "orders"))
    header = "[tables.users.personal]\n"
    draft = draft.replace(header, header + 'locale = {action = "Replace", value = ""}\n')
    (efface.project / "efface.toml").write_text(draft + more)
    second = efface("check", *named)

    assert first.exit_code == 1
    assert "E101 This table has no rule" in first.stdout
    assert "W101" in second.stdout
    assert second.exit_code == 0


def test_a_policy_file_and_models_are_checked_together(efface, undecided):
    (efface.project / "efface.toml").write_text(
        '[tables.people.personal]\nname = "Clear"\n'
        '[tables.lost]\nno_personal_data = {reason = "x"}\n'
    )

    result = efface("check", "--models", undecided, "--policy", "efface.toml", "--json")

    assert [p["code"] for p in json.loads(result.stdout)["problems"]] == ["E104", "W102", "E201"]


def test_half_a_policy_file_is_wrong_usage_with_its_line(efface, undecided):
    (efface.project / "efface.toml").write_text('[tables.people]\nnot_personal = ["secret')

    result = efface("check", "--models", undecided, "--policy", "efface.toml")

    assert result.exit_code == 2
    assert "E107 UnreadableFileError" in result.stderr
    assert "line 2" in result.stderr
    assert "secret" not in result.stderr


def test_a_misspelled_policy_file_is_refused(efface, undecided):
    (efface.project / "efface.toml").write_text("[tables.peopel]\n")

    result = efface("check", "--models", undecided, "--policy", "efface.toml")

    assert result.exit_code == 1
    assert "Did you mean people?" in result.stderr


def test_a_draft_needs_something_to_draft_from(efface):
    result = efface("draft")

    assert result.exit_code == 2
    assert "--models module:Base, or --database URL" in result.stderr


def test_a_draft_is_of_the_people_that_one_names(efface, database):
    drafted = efface("draft", "--database", database, "--people", "categories")
    wrong = efface("draft", "--database", database, "--people", "category")

    assert "[tables.categories.data_subject]" in drafted.stdout
    assert "# the users' table · sure: you named it" in drafted.stdout
    assert (wrong.exit_code, "Did you mean categories?" in wrong.stderr) == (2, True)
    assert efface("draft", "--database", database, "--schema", "nowhere").exit_code == 2
    models = efface("draft", "--models", "tests.support.schemas.forum:Base", "--schema", "main")
    assert models.exit_code == 2


@pytest.mark.slow
@pytest.mark.postgresql
def test_a_draft_looks_at_every_schema_of_the_application(efface, server_urls):
    """What an extension has, and each part of a table, needs no rule."""
    engine = emptied(server_urls["postgresql"])
    with engine.begin() as connection:
        for statement in (
            "CREATE SCHEMA shop",
            "CREATE TABLE users (id int PRIMARY KEY, email text, deleted_at timestamptz)",
            (
                "CREATE TABLE shop.likes (id int PRIMARY KEY, user_id int NOT NULL "
                "REFERENCES users (id) ON DELETE CASCADE, stars int)"
            ),
            "CREATE INDEX by_user ON shop.likes (user_id)",
            "CREATE TABLE shop.visits (day date, user_id int) PARTITION BY RANGE (day)",
            (
                "CREATE TABLE shop.visits_1 PARTITION OF shop.visits "
                "FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')"
            ),
            "CREATE VIEW shop.cards AS SELECT id, email FROM users",
        ):
            connection.exec_driver_sql(statement)
    url = engine.url.render_as_string(hide_password=False)
    engine.dispose()

    every = efface("draft", "--database", url)
    shop = efface("draft", "--database", url, "--schema", "shop")
    public = efface("draft", "--database", url, "--schema", "public")
    (efface.project / "efface.toml").write_text(every.stdout)
    checked = efface("check", "--policy", "efface.toml", "--database", url)
    engine = emptied(server_urls["postgresql"])
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA IF EXISTS shop CASCADE")
    engine.dispose()

    assert [each.exit_code for each in (every, shop, public)] == [0, 0, 0]
    assert '[[tables."shop.likes".on_close]]\naction = "Delete"' in every.stdout
    assert "visits_1" not in every.stdout
    assert 'no_personal_data = {reason = "a view"}' in every.stdout
    assert "no rule: shop.visits" in every.stdout
    assert "[tables.users.data_subject]" not in shop.stdout
    assert "shop." not in public.stdout
    assert "shop.visits" in checked.stdout
    assert "shop.likes" not in checked.stdout
