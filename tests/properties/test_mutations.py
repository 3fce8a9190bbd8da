"""laws:P17: a policy that forgets one thing is refused, or what it forgot is found afterwards."""

import pytest
from sqlalchemy import Column

from efface import Redact, Retain
from efface.errors import PolicyError
from efface.policy.declarations import CloseRule, ColumnRule, RuleItem
from tests.properties.schema import metadata_of
from tests.properties.worlds import Place

pytestmark = pytest.mark.laws("P17")


def mutants(world):
    """Every way to forget one marker that decides about somebody's values."""
    for table in metadata_of(world.schema).tables.values():
        for item in (table, *table.columns):
            for number, marker in enumerate(m for m in item.info if isinstance(m, RuleItem)):
                if matters(item, marker):
                    column = item.name if isinstance(item, Column) else None
                    yield table.name, column, number


def matters(item, marker):
    """Whether values of the person are left where *marker* is forgotten.

    Rows that all go need no decision about their columns. A reference is no value, and what is not
    personal names nobody.
    """
    mark = marker.rule
    if isinstance(mark, CloseRule):
        return not isinstance(mark.action, Retain)
    if not isinstance(mark, ColumnRule):
        return True
    marks = [m.rule for m in item.table.info if isinstance(m, RuleItem)]
    stays = [m for m in marks if isinstance(m.action, Redact)]
    if item.foreign_keys or mark.action is None:
        return bool(stays) and not item.foreign_keys and not item.primary_key
    return any(mark.via is None or m.via == mark.via for m in stays)


def without(world, mutant):
    """The schema without that marker."""
    metadata = metadata_of(world.schema)
    name, column, number = mutant
    item = metadata.tables[name] if column is None else metadata.tables[name].c[column]
    del item.info[[m for m in item.info if isinstance(m, RuleItem)][number]]
    return metadata


def test_no_forgotten_decision_goes_unnoticed(law):
    """Most are refused at once. One of two links may be forgotten, and then leaves values."""

    @law
    def _(place):
        world = place.world
        for mutant in mutants(world):
            forgetful = Place(world, place.engine, without(world, mutant))
            problems = [p for p in forgetful.eraser.check() if p.level == "error"]
            if problems:
                with pytest.raises(PolicyError), place.engine.connect() as connection:
                    forgetful.eraser.close_account(connection, world.key(1), actor="test")
            else:
                assert left_behind(forgetful), mutant


def left_behind(place):
    """Whether somebody's closing leaves their marker in a row that is not kept."""
    for person in place.world.people:
        kept = place.kept(person)
        with place.engine.connect() as connection:
            place.eraser.close_account(connection, place.world.key(person), actor="test")
            found = place.naming(person, connection)
            connection.rollback()
        if found - kept:
            return True
    return False


@pytest.mark.parametrize("what", ["email", "login"])
def test_a_renamed_column_is_refused(law, what):
    """The decision is for a column that is not there any more, and its new name is undecided."""

    @law
    def _(place):
        metadata = metadata_of(place.world.schema)
        people = metadata.tables["people"]
        column = people.c[what]
        for marker in [m for m in column.info if isinstance(m, RuleItem)]:
            del column.info[marker]
        renamed = Place(place.world, place.engine, metadata)

        found = {problem.code for problem in renamed.eraser.check()}

        assert place.world.schema.goes or "E101" in found
