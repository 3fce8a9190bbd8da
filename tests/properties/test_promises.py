"""laws:P1 to P7, P18: whatever the schema, these hold."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from tests.properties.worlds import worlds

pytestmark = pytest.mark.laws("P1", "P2", "P3", "P4", "P5", "P6", "P7", "P18")
SETTINGS = settings(max_examples=40, deadline=None)


@SETTINGS
@given(worlds())
def test_closing_again_changes_nothing(world):
    first = world.close(1)
    before = world.rows()

    again = world.close(1)

    assert world.rows() == before
    assert again == first


@SETTINGS
@given(worlds())
def test_nobody_else_is_touched(world):
    """Whatever the schema, closing one account changes no row that belongs only to others."""
    before = world.rows_of_others(1)

    world.close(1)

    assert world.rows_of_others(1) == before


@SETTINGS
@given(worlds())
def test_no_identifier_survives_outside_what_is_kept(world):
    settled = world.close(1)

    left = {column.split(".")[0] for column in world.columns_naming(1)}
    assert left <= world.retained_tables()
    assert settled.search.is_clean


@SETTINGS
@given(worlds())
def test_no_reference_breaks_and_no_placeholder_collides(world):
    for person in world.people:
        world.close(person)

    with world.engine.connect() as connection:
        assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
    emails = [row[1] for row in world.rows()["people"]]
    assert len(set(emails)) == len(world.people)


@SETTINGS
@given(worlds())
def test_the_plan_counts_what_is_then_done(world):
    before = world.rows()
    with world.engine.begin() as connection:
        plan = world.eraser.plan(connection, 1)
    assert world.rows() == before

    with world.engine.begin() as connection:
        receipt = world.eraser.close_account(connection, 1, actor="test")

    assert [(s.table, s.action, s.rows) for s in plan.steps] == [
        (s.table, s.action, s.rows) for s in receipt.steps
    ]


@SETTINGS
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_people_does_not_matter(world, random):
    people = list(world.people)
    random.shuffle(people)

    settled = [world.close(person) for person in people]

    assert [receipt.late for receipt in settled] == [0] * len(people)
    for person in people:
        left = {column.split(".")[0] for column in world.columns_naming(person)}
        assert left <= world.retained_tables()
