"""What the links reach, without looking into any text."""

from dataclasses import replace

import pytest
from sqlalchemy import event

from efface.errors import UnknownSubjectError
from tests.support.schemas import forum


@pytest.fixture
def engine(database):
    forum.create(database)
    return database


def test_it_is_the_plan_but_for_the_texts_that_nobody_read(engine):
    eraser = forum.eraser()
    with engine.connect() as connection:
        plan = eraser.plan(connection, 1)

        steps = eraser.preview(connection, 1)

    def without_rows(steps):
        return [replace(step, rows=0) for step in steps]

    assert without_rows(steps) == without_rows(plan.steps)
    assert all(step.rows >= planned.rows for step, planned in zip(steps, plan.steps, strict=True))


def test_it_sends_counts_and_nothing_else(engine):
    eraser, sent = forum.eraser(), []
    with engine.connect() as connection:
        eraser.preview(connection, 1)
        event.listen(engine, "before_cursor_execute", lambda *seen: sent.append(seen[2]))

        eraser.preview(connection, 1)

    assert all(statement.startswith("SELECT") for statement in sent)


def test_who_is_closed_has_no_steps_and_who_never_was_is_unknown(engine):
    eraser = forum.eraser()
    with engine.begin() as connection:
        receipt = eraser.close_account(connection, 1, actor="test")

        assert eraser.preview(connection, 1) == ()
        assert eraser.get_receipt(connection, receipt.reference) == receipt
        assert eraser.get_receipt(connection, "nothing of ours") is None
        with pytest.raises(UnknownSubjectError):
            eraser.preview(connection, 4711)
