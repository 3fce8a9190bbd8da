"""laws:P1 to P7, P18, P22: whatever the schema, the policy and the rows, these hold."""

import random

import pytest
from sqlalchemy import text

from efface import Plan, Receipt
from efface.errors import UnknownSubjectError
from tests.properties.rows import marker_of
from tests.properties.worlds import comparable

pytestmark = pytest.mark.laws("P1", "P2", "P3", "P4", "P5", "P6", "P7", "P18", "P22")


def test_a_drawn_policy_has_no_problems(law):
    """What is valid by construction is not refused."""

    @law
    def _(place):
        assert [p for p in place.eraser.check() if p.level == "error"] == []
        assert place.seen() == comparable(place.world.state)


def test_closing_does_what_the_policy_says_and_no_more(law):
    """Row by row as the model has it: the person's part and everybody else's."""

    @law
    def _(place):
        model = place.world.model
        for person in place.world.people:
            place.close(person)
            model.close(person)

            assert place.seen() == comparable(model.state)


def test_closing_again_changes_nothing(law):
    @law
    def _(place):
        first = place.close(1)
        before = place.raw()

        if place.world.schema.goes:
            with pytest.raises(UnknownSubjectError):
                place.close(1)
        else:
            again = place.close(1)
            assert again == first
            assert again.already_closed or again.finalized_at

        assert place.raw() == before


def test_rows_that_lead_to_nobody_who_leaves_stay_to_the_byte(law):
    """Compared as the database has them, below all types."""

    @law
    def _(place):
        before, touched = place.raw(), place.touched(1)

        receipt = place.close(1)

        after = place.raw()
        for name in before:
            gone = (before[name] - after[name]).total()
            assert gone <= touched[name], name
        assert receipt.late == 0


def test_nobody_else_is_named_less_than_before(law):
    """Except where a row with two people goes, or a value that they share."""

    @law
    def _(place):
        others = place.world.people[1:]
        before = {person: place.naming(person) for person in others}
        shared = {person: place.shared(1, person) for person in others}

        place.close(1)

        for person in others:
            assert place.naming(person) >= before[person] - shared[person]


def test_no_identifier_survives_outside_what_is_kept(law):
    @law
    def _(place):
        for person in place.world.people:
            kept = place.kept(person)

            finalized = place.close(person)

            assert place.naming(person) == kept
            assert finalized.search.is_clean
            assert {f"{f.table}.{f.column}" for f in finalized.search.kept} == {
                f"{table}.{column}" for table, column in kept
            }


def test_no_reference_breaks_and_no_placeholder_collides(law):
    """PostgreSQL has refused by now what SQLite is asked for here."""

    @law
    def _(place):
        for person in place.world.people:
            place.close(person)

        if place.engine.dialect.name == "sqlite":
            with place.engine.connect() as connection:
                assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
        people = place.rows()["people"]
        for column in ("email", "login"):
            assert len({row[column] for row in people}) == len(people)


def test_the_plan_counts_what_is_then_done(law):
    @law
    def _(place):
        before, key = place.raw(), place.world.key(1)
        with place.engine.begin() as connection:
            plan = place.eraser.plan(connection, key)
        assert place.raw() == before

        with place.engine.begin() as connection:
            receipt = place.eraser.close_account(connection, key, actor="test")

        assert [(s.table, s.action, s.rows) for s in plan.steps] == [
            (s.table, s.action, s.rows) for s in receipt.steps
        ]
        assert Plan.from_json(plan.to_json()) == plan
        assert Receipt.from_json(receipt.to_json()) == receipt


def test_a_plan_that_was_read_and_saved_is_carried_out(law):
    @law
    def _(place):
        key = place.world.key(1)
        with place.engine.begin() as connection:
            saved = place.eraser.plan(connection, key).to_json()

        with place.engine.begin() as connection:
            plan = Plan.from_json(saved)
            receipt = place.eraser.close_account(connection, key, actor="test", plan=plan)

        assert receipt.steps == plan.steps


def test_the_order_of_people_does_not_matter(law):
    @law
    def _(place):
        model, people = place.world.model, list(place.world.people)
        for person in people:
            model.close(person)
        random.Random(place.world.seed).shuffle(people)

        finalized = [place.close(person) for person in people]

        assert place.seen() == comparable(model.state)
        assert [receipt.late for receipt in finalized] == [0] * len(people)


def test_a_batch_ends_like_a_sequence(law):
    """Also of a row with two of them, each under an action of their own."""

    @law
    def _(place):
        model = place.world.model
        leaving = place.world.people[:2]
        for person in leaving:
            model.close(person)

        batch = place.close_together(reversed(leaving))

        assert place.seen() == comparable(model.state)
        assert (batch.late, batch.closed) == (0, 2)
        assert batch.search.is_clean
        left = {at for person in leaving for at in place.naming(person)}
        assert {(f.table, f.column) for f in batch.search.kept} == left


def test_nothing_shows_a_value_of_the_person(law, caplog):
    """Not plans, receipts, what they print as, or the log with every statement in it."""
    caplog.set_level("DEBUG")
    engine = law.engine

    @law
    def _(place):
        key = place.world.key(1)
        caplog.clear()
        engine.echo = "debug"
        try:
            with engine.begin() as connection:
                plan = place.eraser.plan(connection, key)
                receipt = place.eraser.close_account(connection, key, actor="test", plan=plan)
                finalized = place.eraser.finalize(connection, receipt)
        finally:
            engine.echo = False

        said = [plan, plan.to_json(), plan.explain(), receipt, receipt.to_json(), receipt.captured]
        said += [finalized, finalized.to_json(), finalized.search.summary(), caplog.text]
        assert caplog.records
        assert marker_of(1) not in "".join(map(repr, said)).lower()
