"""Two transactions in every order: each in a lane of its own, step by step, by schedule.

A step that has to wait for a lock is seen waiting, in PostgreSQL's own list; the other lane goes on
then. On SQLite nobody waits: whoever comes second is told at once. Nothing depends on time.
"""

from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from itertools import combinations

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from efface.errors import StatementError

REFUSALS = (StatementError, DBAPIError)
"""What a lane may end with; anything else is an error of the test or of ours."""


class Lane:
    """One connection and the steps that are to run on it, one after the other."""

    def __init__(self, engine, steps):
        """Connect; nothing runs yet."""
        self.engine, self.steps, self.left = engine, steps, list(steps)
        self.connection = engine.connect()
        self.pid = None
        if engine.dialect.name == "postgresql":
            self.pid = self.connection.scalar(text("SELECT pg_backend_pid()"))
            self.connection.rollback()
        self.thread = ThreadPoolExecutor(max_workers=1)
        self.running, self.error, self.results = None, None, []

    def begin_next(self):
        """Begin the next step, unless the one before is still waiting."""
        if self.left and self.running is None and self.error is None:
            step = self.left.pop(0)
            self.running = self.thread.submit(step, self.connection)

    def is_waiting(self, watcher):
        """Whether the running step waits for a lock; it is finished otherwise."""
        while self.running is not None:
            if wait([self.running], timeout=0.001).done:
                self._finish()
            elif self.pid is not None and watcher.scalar(WAITING, {"pid": self.pid}):
                return True
        return False

    def _finish(self):
        error = self.running.exception()
        if error is None:
            self.results.append(self.running.result())
        elif isinstance(error, REFUSALS):
            self.error, self.left = error, []
            self.thread.submit(self.connection.rollback).result()
        else:
            raise error
        self.running = None

    def once_more(self):
        """Run the whole script again, as an application does that was told to."""
        self.error, self.results = None, []
        for step in self.steps:
            self.results.append(self.thread.submit(step, self.connection).result())

    def close(self):
        """Give the connection back."""
        self.thread.submit(self.connection.close).result()
        self.thread.shutdown()


WAITING = text("SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = :pid")


def orders(first, second):
    """Every way to run so many steps of one lane and so many of another."""
    for places in combinations(range(first + second), first):
        yield tuple(0 if i in places else 1 for i in range(first + second))


class Lanes:
    """Two lanes, and the turns they take."""

    def __init__(self, engine, scripts):
        """Connect both, and a third that watches."""
        self.both = [Lane(engine, script) for script in scripts]
        self.watcher = engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    def __iter__(self):
        """Give both."""
        return iter(self.both)

    def go(self, *turns):
        """Let the lanes take these turns; who has to wait misses theirs."""
        for turn in turns:
            self.both[turn].begin_next()
            for lane in (self.both[turn], self.both[1 - turn]):
                lane.is_waiting(self.watcher)

    def drain(self):
        """Let both come to their end."""
        while any(lane.left or lane.running for lane in self.both):
            self.go(0, 1)

    def close(self):
        """Give all connections back."""
        for lane in self.both:
            lane.close()
        self.watcher.close()


@contextmanager
def run(engine, scripts, order):
    """Run two scripts in this order of steps to their end, and give the lanes."""
    with closing(Lanes(engine, scripts)) as lanes:
        lanes.go(*order)
        lanes.drain()
        yield lanes
