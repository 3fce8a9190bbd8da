"""laws:P23: every database comes to the same state from the same rows and the same policy."""

import secrets

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.properties.worlds import comparable, worlds
from tests.support.databases import KINDS, emptied
from tests.support.schemas.forum import engine_of

pytestmark = pytest.mark.laws("P23")


@pytest.fixture(scope="module", params=KINDS[1:])
def server(request, server_urls):
    """A server to compare SQLite with."""
    engine = emptied(server_urls[request.param])
    yield engine
    engine.dispose()


def agree(world, server, leaving):
    """Let the same people leave in both databases, and compare what is left and what was said."""
    memory = engine_of()
    with world.on(memory) as here, world.on(server) as there:
        for person in leaving:
            receipts = [place.close(person) for place in (here, there)]
            assert receipts[0].steps == receipts[1].steps
            assert receipts[0].search == receipts[1].search
            assert receipts[0].subject == receipts[1].subject
        assert here.seen() == there.seen()


def test_sqlite_and_a_server_agree(server):
    @settings(
        max_examples=6,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(worlds(), st.booleans())
    def agreed(world, everybody):
        agree(world, server, world.people if everybody else world.people[:1])

    agreed()


def test_tokens_from_python_end_like_tokens_of_the_database(law):
    """Where a database may not make them."""

    def in_python(place):
        model = place.world.model
        for person in place.world.people:
            finalized = place.close(person)
            model.close(person)
            assert finalized.late == 0
            assert finalized.search.is_clean
        assert place.seen() == comparable(model.state)

    law(in_python, random_source=lambda: secrets.token_hex(16))
