"""Laws run here on every database: many drawn worlds on SQLite, fewer on a server."""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import make_url

from tests.failures.tripwire import Tripwire, wired
from tests.properties.worlds import empty, worlds
from tests.support.databases import KINDS

EXAMPLES = {"sqlite": 10, "postgresql": 4}
MORE = int(os.environ.get("EFFACE_TEST_MORE", "0"))
"""How many times as many worlds are drawn besides, at random: a long search, where asked for."""


class Court:
    """Holds a law against drawn worlds in one database."""

    def __init__(self, engine, wire, times):
        """Keep the database; *wire* is passed by every statement."""
        self.engine, self.wire, self.times = engine, wire, times

    def __call__(self, law, **options):
        """Hold *law*, a function of a filled database, against as many worlds as there is time."""
        examples = EXAMPLES[self.engine.dialect.name] * self.times

        @settings(
            max_examples=examples,
            deadline=None,
            # The same worlds on every run, but in a search for new ones.
            derandomize=self.times == 1,
            database=None if self.times == 1 else settings().database,
            suppress_health_check=[HealthCheck.too_slow],
        )
        @given(worlds(**options))
        def held(world):
            with world.on(self.engine) as place:
                law(place)

        held()


@pytest.fixture(
    scope="module",
    params=[
        # What the law says is the same everywhere; what a server makes of it, the long run shows.
        *(pytest.param(kind, marks=[pytest.mark.slow] * (kind != "sqlite")) for kind in KINDS),
        *(pytest.param(f"{kind}, more", marks=pytest.mark.slow) for kind in KINDS if MORE),
    ],
)
def law(request, server_urls):
    """Hold a law against drawn worlds, on each database."""
    kind, _, more = request.param.partition(",")
    url = make_url("sqlite://") if kind == "sqlite" else server_urls[kind]
    wire = Tripwire()
    engine = wired(url, wire)
    empty(engine)
    yield Court(engine, wire, MORE if more else 1)
    engine.dispose()
