"""Worlds in which a law was once broken, kept so that it is not again."""

import pytest

from efface import Clear, Delete, Placeholder, Redact, Replace, Revoke
from tests.properties.shapes import RETAIN, Col, Link, Mark, Schema, Shape
from tests.properties.worlds import World, comparable

PAIR = (Link(), Link())
CLEARED = tuple(Col("text", ((n, Clear()),)) for n in range(2))


def schema(*tables, **options):
    """A schema of these tables."""
    chosen = {"key": "number", "goes": False, "columns": (), "inviter": False, "home": False}
    return Schema(**{**chosen, **options}, tables=tables)


FOUND = {
    # Rows that refer to a session went after the sessions, which their foreign keys did not allow.
    "a child of credentials": schema(
        Shape("number", (Link(),), (Mark(0, Revoke()),), ()),
        Shape("number", (Link(0),), (Mark(0, Delete()),), ()),
    ),
    # Of a message to oneself, the value of the link whose rows go stayed.
    "one person at both ends of a row": schema(
        Shape("number", PAIR, (Mark(0, Delete()), Mark(1, Redact())), CLEARED)
    ),
    # The link by which a message to oneself stayed was cut, so the second pass took it away.
    "one person at both ends, and one end is cut": schema(
        Shape(
            "number", (Link(unlink=True), Link()), (Mark(0, Redact()), Mark(1, Delete())), CLEARED
        )
    ),
    "a child of a row whose one end is cut": schema(
        Shape(
            "number", (Link(unlink=True), Link()), (Mark(0, Redact()), Mark(1, Delete())), CLEARED
        ),
        Shape("none", (Link(0),), (Mark(0, Redact(), 0), Mark(0, Delete(), 1)), CLEARED),
    ),
    "one person at both ends, and both are cut": schema(
        Shape("none", (Link(unlink=True),) * 2, (Mark(0, Redact()), Mark(1, Delete())), CLEARED)
    ),
    # In a batch, what kept a row for one of them kept it for the other as well.
    "two people, one by key and one by value": schema(
        Shape(
            "number", (Link(), Link(by="=email")), (Mark(0, Redact()), Mark(1, Delete())), CLEARED
        )
    ),
    "two people, one kept by value": schema(
        Shape("number", (Link(), Link(by="=email")), (Mark(0, Delete()), Mark(1, RETAIN)), CLEARED)
    ),
    # The first of two decisions was carried out, and the second counted as still to do, for ever.
    "a value with two decisions": schema(
        Shape(
            "number",
            PAIR,
            (Mark(0, Redact()), Mark(1, Delete())),
            (Col("text", ((0, Clear()), (1, Replace("gone")))),),
        )
    ),
    # PostgreSQL has no equality for json.
    "a document that is replaced": schema(
        Shape("none", (Link(),), (Mark(0, Redact()),), (Col("json", ((0, Replace({})),)),))
    ),
    # The closing changes the login, the reference follows, and the search took it for another's.
    "what is kept, by a login": schema(
        Shape("number", (Link(by="login"),), (Mark(0, RETAIN),), CLEARED[:1], former=True)
    ),
    # Nothing refers to the person's row from a row that is owned or linked by value.
    "an owned row of a person whose row goes": schema(
        Shape("number", (Link(),), (Mark(0, Delete()),), (), owns=Redact()), goes=True
    ),
    # PostgreSQL has no smallest UUID; see the batches below.
    "a former address at the end of a chain": schema(
        Shape("uuid", (Link(),), (Mark(0, Redact()),), CLEARED[:1]),
        Shape("uuid", (Link(0),), (Mark(0, Delete()),), (), former=True),
        key="uuid",
    ),
    # All that was compared was the length; then it could also be one of hexadecimal digits.
    "a value as long as a short placeholder": schema(
        Shape(
            "number",
            (Link(),),
            (Mark(0, Redact()),),
            (Col("short", ((0, Placeholder()),)),),
        )
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", sorted(FOUND))
def test_what_was_broken_once_holds(database, name, seed):
    world = World(FOUND[name], (1, 2, 3), seed)
    model = world.model
    with world.on(database) as place:
        assert [p for p in place.eraser.check() if p.level == "error"] == []
        # Everybody but the last, so that there are always others.
        for person in world.people[:-1]:
            kept = place.kept(person)
            finalized = place.close(person)
            model.close(person)

            assert finalized.late == 0
            assert finalized.search.is_clean
            assert place.naming(person) == kept
            assert len(finalized.search.kept) == len(kept)
        assert place.seen() == comparable(model.state)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(FOUND))
def test_what_was_broken_once_holds_in_a_batch(database, name):
    world = World(FOUND[name], (1, 2, 3), 1)
    model = world.model
    with world.on(database) as place:
        for person in (1, 2):
            model.close(person)

        batch = place.close_together((2, 1))

        assert place.seen() == comparable(model.state)
        assert batch.search.is_clean
        assert batch.late == 0
