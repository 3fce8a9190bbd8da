"""laws:P10, P11, P24: failures and late writers on drawn schemas, and what a closing costs."""

import random

import pytest
from sqlalchemy import insert

from efface.errors import StatementError
from tests.properties.worlds import World, empty

pytestmark = pytest.mark.laws("P10", "P11", "P24")


def test_a_failure_at_any_statement_leaves_everything_as_it_was(law):
    """One statement of each world, drawn with it; tests/failures takes all of two schemas."""
    wire, failing = law.wire, law.wire.fail(law.engine.dialect.name)

    @law
    def _(place):
        before, key = place.raw(), place.world.key(1)
        with place.engine.connect() as connection:
            place.eraser.plan(connection, key)
            with wire.set():
                place.eraser.close_account(connection, key, actor="test")
        at = random.Random(place.world.seed).randint(1, wire.count)

        with place.engine.connect() as connection:
            with wire.set(at, failing), pytest.raises(StatementError) as caught:
                place.eraser.close_account(connection, key, actor="test")
            connection.commit()

        assert "ada" not in f"{caught.value!r} {caught.value}".lower()
        assert place.raw() == before
        place.close(1)


def test_rows_that_came_after_the_closing_go_with_the_settling(law):
    """As from a writer that had waited: what refers to the person directly, once more."""

    @law
    def _(place):
        key, late = place.world.key(1), place.late_rows(1)
        with place.engine.begin() as connection:
            receipt = place.eraser.close_account(connection, key, actor="test")
        kept = place.naming(1)
        with place.engine.begin() as connection:
            for table, row in late:
                connection.execute(insert(place.metadata.tables[table]), [row])

        with place.engine.begin() as connection:
            finalized = place.eraser.finalize(connection, receipt)

        assert finalized.search.is_clean
        assert finalized.late == len(late)
        assert place.naming(1) == kept


def test_the_number_of_statements_depends_on_tables_and_not_on_rows(law):
    """At most what the eraser lists beforehand, and two for each table that may have to retry."""
    wire = law.wire

    @law
    def _(place):
        counts = []
        empty(place.engine)
        for rows in (2, 12):
            world = World(place.world.schema, place.world.people, place.world.seed, rows=rows)
            with world.on(place.engine) as crowded:
                key = world.key(1)
                with crowded.engine.connect() as connection:
                    listed = len(crowded.eraser.statements(connection))
                    with wire.set():
                        crowded.eraser.close_account(connection, key, actor="test")
                    counts.append(wire.count)
                limit = listed + 2 * len(crowded.metadata.tables) + 6
        assert max(counts) <= limit
