"""laws:P2, P24: whatever the database is, a closing is right, or refused with nothing changed."""

from collections import Counter
from random import Random

import pytest
from sqlalchemy import inspect, text

from efface.errors import EffaceError
from efface.policy.schema_drift import compare
from tests.properties.differences import DIFFERENCES, differing
from tests.properties.rows import marker_of
from tests.properties.worlds import comparable

pytestmark = pytest.mark.laws("P2", "P24")
NAMES = sorted(DIFFERENCES)


def test_a_database_that_differs_from_its_models_harms_nobody(law):
    """One way to differ for each world; the long run takes each way with many."""

    @law
    def _(place):
        _close_everybody(place, NAMES[place.world.seed % len(NAMES)])


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_no_way_to_differ_from_the_models_harms_anybody(law, name):
    outcomes = Counter()

    @law
    def _(place):
        outcomes[_close_everybody(place, name)] += 1

    # Some have no form on SQLite, and citext is no part of every PostgreSQL.
    may_be_unfit = law.engine.dialect.name == "sqlite" or name == "keys in other letters"
    assert set(outcomes) - {"unfit"} or may_be_unfit
    if name.startswith("beside"):
        # Nothing is known of a table that no model has, but that it refers to people's rows.
        assert set(outcomes) == {"refused with E108"}


def _close_everybody(place, name):
    """Close one account after the other, in a database that differs, and say what came of it."""
    engine, world = place.engine, place.world
    with engine.begin() as connection:
        if not differing(connection, place.metadata, name, Random(world.seed)):
            return "unfit"
    model, refusals = world.model, set()
    model.state = place.rows()
    for person in world.people:
        before = _everything(engine)
        receipt = _closed(place, person)
        if isinstance(receipt, EffaceError):
            assert marker_of(person) not in f"{receipt} {receipt!r}"
            assert _everything(engine) == before
            refusals.add(receipt.code)
            continue

        model.close(person)
        assert place.seen() == comparable(model.state)
        after = _everything(engine)
        unknown = before.keys() - place.metadata.tables.keys() - PARTS
        for table in unknown:
            assert before[table] <= after[table], table
        with engine.begin() as connection:
            place.eraser.finalize(connection, receipt)
        assert place.seen() == comparable(model.state)
        if any(marker_of(person) in row for table in unknown for row in after[table]):
            # The search reads what has a model; the check says which tables have none.
            assert "E108" in {problem.code for problem in compare(place.eraser.policy, engine)}
    return f"refused with {min(refusals)}" if refusals else "closed"


def _closed(place, person):
    try:
        with place.engine.begin() as connection:
            return place.eraser.close_account(connection, place.world.key(person), actor="test")
    except EffaceError as error:
        return error


PARTS = {"part", "part0", "part1"}
"""Tables whose rows are those of a table with a model."""


def _everything(engine):
    """Return every row of every table that the database has."""
    with engine.connect() as connection:
        return {
            name: Counter(
                repr(tuple(map(str, row)))
                for row in connection.execute(text(f"SELECT * FROM {name}"))
            )
            for name in inspect(connection).get_table_names()
        }
