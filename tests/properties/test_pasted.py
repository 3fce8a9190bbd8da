"""laws:P2: whoever pastes the first line of every problem harms nobody else by a closing."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select

from efface import Eraser, Policy
from efface.policy.draft import draft
from tests.properties.undecided import NAMES, metadata_of, pasted, policy_of, rows_of, undecided
from tests.properties.worlds import KEY, empty

pytestmark = pytest.mark.laws("P2")
ROUNDS = 10


@pytest.mark.parametrize("examples", [10, pytest.param(150, marks=pytest.mark.slow)])
def test_the_first_line_of_every_problem_harms_nobody_else(law, examples):
    engine = law.engine

    @settings(
        max_examples=examples if engine.dialect.name == "sqlite" else examples // 3,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(undecided(), st.integers(0, 1000))
    def held(tables, seed):
        metadata, rows = metadata_of(tables), rows_of(tables, seed)
        for _ in range(ROUNDS):
            eraser = Eraser(policy_of(metadata), secret=KEY)
            problems = [p for p in eraser.check() if p.level == "error"]
            if not problems:
                break
            pasted(metadata, problems)
        assert problems == []
        _close_and_compare(engine, metadata, eraser, rows)

    held()


def _close_and_compare(engine, metadata, eraser, rows):
    metadata.create_all(engine)
    eraser.create_tables(engine)
    try:
        with engine.begin() as connection:
            for table in metadata.sorted_tables:
                for row in rows[table.name]:
                    connection.execute(insert(table), [row])
        before = _everything(engine, metadata)
        with engine.begin() as connection:
            eraser.close_account(connection, 1, actor="test")
        after = _everything(engine, metadata)
        for name, found in before.items():
            for key, row in found.items():
                _compare(metadata.tables[name], row, after[name].get(key), before)
    finally:
        empty(engine)


def _compare(table, row, now, before):
    """A row of somebody else has changed at most in references to the person who left."""
    mine = row["id"] == 1 if table.name == "people" else _is_part_of_hers(table, row, before)
    if mine:
        return
    changed = {name for name in row if now is None or row[name] != now[name]}
    allowed = {name for name in NAMES if row.get(name) == 1}
    assert changed <= allowed, (table.name, row, now)


def _is_part_of_hers(table, row, before):
    direct = [name for name in NAMES if name in row]
    if direct:
        return row[direct[0]] == 1
    for key in table.foreign_keys:
        value = row[key.parent.name]
        if key.ondelete == "CASCADE" and not key.parent.nullable and value is not None:
            parent = key.column.table
            if _is_part_of_hers(parent, before[parent.name][value], before):
                return True
    return False


def _everything(engine, metadata):
    with engine.connect() as connection:
        return {
            name: {row["id"]: dict(row) for row in connection.execute(select(table)).mappings()}
            for name, table in metadata.tables.items()
        }


@pytest.mark.parametrize("examples", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_a_draft_completed_by_first_lines_harms_nobody_else(law, tmp_path, examples):
    """What a draft decides is kept, and what it leaves open gets the first line for it."""
    engine, path = law.engine, tmp_path / "efface.toml"

    @settings(
        max_examples=examples if engine.dialect.name == "sqlite" else examples // 3,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(undecided(), st.integers(0, 1000))
    def held(tables, seed):
        metadata, rows = metadata_of(tables), rows_of(tables, seed)
        path.write_text(draft(metadata), encoding="utf-8")
        for _ in range(ROUNDS):
            eraser = Eraser(Policy.from_file(path, metadata), secret=KEY)
            problems = [p for p in eraser.check() if p.level == "error"]
            if not problems:
                break
            pasted(metadata, problems)
        assert problems == []
        _close_and_compare(engine, metadata, eraser, rows)

    held()
