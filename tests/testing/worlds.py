"""Two people in each of our schemas, and what an assertion finds of them."""

import re

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from efface import Eraser, Policy
from efface.testing import assert_no_trace, populate
from garden.models import Base as Garden
from tests.support.schemas import crew, forum, odds, tangle
from tests.support.schemas.lobsters.policy import leaving
from tests.support.schemas.lobsters.schema import lobsters

KEY = "a key for tests, long enough"
SCHEMAS = {
    "forum": lambda _: forum.Base.metadata,
    "tangle": lambda _: tangle.metadata,
    "crew": lambda _: crew.Base.metadata,
    "garden": lambda _: Garden.metadata,
    "lobsters": lambda _: lobsters(leaving()),
    "odds": odds.of,
}
FORUM = Policy.from_metadata(forum.Base.metadata)


# Two of them in the quick run; filled whole, the others take their time.
WORLDS = [
    pytest.param(name, marks=[pytest.mark.slow] * (name not in ("forum", "garden")))
    for name in SCHEMAS
]


class World:
    """Two people in a schema, in one transaction."""

    def __init__(self, engine, metadata):
        metadata.create_all(engine)
        self.metadata, self.policy = metadata, Policy.from_metadata(metadata)
        self.eraser = Eraser(self.policy, secret=KEY)
        self.eraser.create_tables(engine)
        self.session = Session(engine)
        self.people = populate(self.session, self.policy)
        self.session.commit()

    def close(self, somebody):
        self.eraser.close_account(self.session, somebody.key, actor="test")
        self.session.commit()

    def look_for(self, somebody, **options):
        assert_no_trace(self.session, self.policy, somebody.traces, **options)

    def rows(self, table):
        return self.session.execute(select(table)).mappings().all()


def found_in(world, identifiers, **options):
    """The places and numbers of rows of an assertion that fails."""
    with pytest.raises(AssertionError) as found:
        assert_no_trace(world.session, world.policy, identifiers, **options)
    assert not any(word in str(found.value) for word in identifiers)
    return dict(re.findall(r"\n  (\S+)  (\d+ rows?)", str(found.value)))
