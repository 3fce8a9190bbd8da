"""The receipt: everything one may show, nothing that leads back to the person."""

import copy
import pickle
from dataclasses import asdict, fields

import pytest

from efface import Receipt
from efface.store.fingerprints import Fingerprints
from tests.support.schemas import forum


@pytest.fixture
def receipt():
    """The settled receipt of Ada's closing, remembered and stored."""
    engine = forum.engine_of()
    forum.create(engine)
    eraser = forum.eraser()
    with engine.begin() as connection:
        receipt = eraser.close_account(connection, 1, actor="ticket 8114")
    with engine.begin() as connection:
        finalized = eraser.finalize(connection, receipt)
    engine.dispose()
    return finalized.with_captured(receipt.captured)


def test_a_receipt_survives_json(receipt):
    assert Receipt.from_json(receipt.to_json()) == receipt


def test_a_receipt_shows_nothing_of_the_person(receipt):
    """Neither in fields, repr, JSON, copies nor pickles."""
    shown = [
        repr(receipt),
        receipt.to_json(),
        str(asdict(receipt)),
        str([getattr(receipt, f.name) for f in fields(receipt)]),
        str(vars(receipt)),
        pickle.dumps(receipt).decode("latin-1"),
        repr(receipt.captured),
    ]

    for text in shown:
        assert "ada@example.org" not in text
        assert "Lovelace" not in text


def test_copies_and_pickles_forget_the_person(receipt):
    assert receipt.captured is not None
    assert copy.copy(receipt).captured is None
    assert pickle.loads(pickle.dumps(receipt)).captured is None  # made in this line
    assert pickle.loads(pickle.dumps(receipt)) == receipt  # made in this line


def test_the_subject_is_a_keyed_fingerprint(receipt):
    assert receipt.subject == Fingerprints(forum.KEY).of("users", (1,))
    assert receipt.subject != Fingerprints(forum.KEY + "x").of("users", (1,))
    assert len(receipt.subject) == 64


def test_fingerprints_of_different_rows_differ():
    prints = Fingerprints(forum.KEY)

    made = {prints.of("a", (1, 2)), prints.of("a", (12,)), prints.of("b", (1, 2))}

    assert len(made) == 3
    assert forum.KEY not in repr(prints)
