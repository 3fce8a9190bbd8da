"""Under a policy file, the lines to paste are TOML, and pasting them works."""

import tomllib

import pytest
from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    String,
    Table,
)

from efface import Policy
from efface.console.pasted_toml import problems_as_toml
from efface.policy.check import check

METADATA = MetaData()
Table(
    "members",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("email", String, unique=True),
    Column("is_admin", Boolean),
    Column("age", Interval, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("deleted_at", DateTime(timezone=True)),
)
Table(
    "posts",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("author_id", ForeignKey("members.id"), nullable=False, index=True),
    Column("approver_id", ForeignKey("members.id"), index=True),
    Column("body", String, nullable=False),
)
FIRST = '[tables.members]\ndata_subject = { identifiers = ["email"] }\n'


@pytest.fixture
def asked(tmp_path):
    """Return the lines to paste for a policy file, by place."""

    def lines(toml):
        path = tmp_path / "efface.toml"
        path.write_text(toml)
        problems = check(Policy.from_file(path, METADATA))
        return {each.place: each.paste for each in problems_as_toml(problems)}

    return lines


def test_the_choices_for_a_table_are_toml(asked):
    assert asked(FIRST)["posts"].splitlines() == [
        "[[tables.posts.on_close]]",
        'action = "Redact"',
        'via = "author_id"',
        "[[tables.posts.on_close]]",
        'action = "Redact"',
        'via = "approver_id"',
        'approver_id = {action = "Unlink", via = "approver_id"}    # in [tables.posts.personal]',
        "# or: [tables.posts]",
        '# no_personal_data = {reason = "..."}',
    ]


def test_pasted_line_for_line_they_solve_the_problems(asked):
    """Each line goes to the table of the file that its comment names."""
    whole = {"members": tomllib.loads(FIRST)["tables"]["members"]}
    text, rounds = FIRST, 0
    while (said := asked(text)) and rounds < 4:
        rounds += 1
        for place, lines in said.items():
            _paste(whole.setdefault(place.partition(".")[0], {}), lines)
        text = _written(whole)

    assert said == {}
    assert whole["members"]["personal"] == {
        "email": "Clear",
        "age": {"action": "Replace", "value": "PT0S"},
        "key": {"action": "Replace", "value": ""},
    }
    assert whole["members"]["not_personal"] == ["is_admin"]


def _paste(table, lines):
    chosen = [line for line in lines.splitlines() if not line.startswith("# ")]
    # Of the lines for a column, the first; of those for a table, all.
    is_column = "in [tables." in chosen[0]
    for line in chosen[:1] if is_column else []:
        _paste_column(table, line)
    if not is_column:
        rules = "\n".join(line for line in chosen if "    # in [tables." not in line)
        ((_, said),) = tomllib.loads(rules)["tables"].items()
        table.update(said)
        for line in chosen:
            if "    # in [tables." in line:
                _paste_column(table, line)


def _paste_column(table, line):
    code, _, header = line.partition("    # in ")
    (key, value) = next(iter(tomllib.loads(code).items()))
    if header.endswith(".personal]"):
        table.setdefault("personal", {})[key] = value
    else:
        table.setdefault(key, []).extend(value)


def _written(tables):
    import tomlkit

    return tomlkit.dumps({"tables": tables})
