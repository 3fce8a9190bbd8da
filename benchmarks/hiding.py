"""What hiding closed accounts costs: beside the filter written by hand, and where nobody is asked.

Everything runs on SQLite in memory, where a statement costs least and a listener shows most. The
sides take turns; each round has new statements and an empty session, as a request has.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from statistics import median
from time import perf_counter

from sqlalchemy import Engine, create_engine, insert, select
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import StaticPool

from benchmarks.measure import Measure
from efface.sqlalchemy import hide_closed
from garden.models import Base, Plot, User, policy

ROUNDS = 3000
WARM_UP = 100
PEOPLE = 5000
PLOTS = 5000
CLOSED = 10
"""Every tenth account is closed."""
LIST = 100
SOMEBODY = 11
ADDRESS = f"member{SOMEBODY}@garden.example"

Side = tuple[Session, Callable[[Session], object]]


def beside_hand_written() -> Iterator[Measure]:
    """Compare hidden statements with the filter written into them, in a plain session."""
    engine = filled()
    plain, hiding = Session(engine), hiding_session(engine)
    is_open = User.deleted_at.is_(None)
    pairs = {
        "by key": (
            lambda session: session.scalar(select(User).where(User.id == SOMEBODY, is_open)),
            lambda session: session.get(User, SOMEBODY),
        ),
        "by email": (
            lambda session: session.scalar(select(User).where(User.email == ADDRESS, is_open)),
            lambda session: session.scalar(select(User).where(User.email == ADDRESS)),
        ),
        f"list of {LIST}": (
            lambda session: session.scalars(select(User).where(is_open).limit(LIST)).all(),
            lambda session: session.scalars(select(User).limit(LIST)).all(),
        ),
    }
    for name, (by_hand, hidden) in pairs.items():
        theirs, ours = taken([(plain, by_hand), (hiding, hidden)])
        yield shown(f"hiding: {name}, to the filter by hand", ours, theirs, 1.1)
    end(engine, plain, hiding)


def beside_no_listener() -> Iterator[Measure]:
    """Compare statements that are about nobody, in a session that hides and in plain ones."""
    engine = filled()
    plain, same, hiding = Session(engine), Session(engine), hiding_session(engine)
    statements = {
        f"list of {LIST}": (lambda s: s.scalars(select(Plot).limit(LIST)).all(), 1.05),
        "one row": (lambda s: s.scalars(select(Plot).where(Plot.label == "7")).all(), 1.15),
    }
    for name, (statement, allowed) in statements.items():
        each = [(session, statement) for session in (plain, same, hiding)]
        theirs, again, ours = taken(each)
        line = f"hiding: a statement about no user, {name}, to no listener"
        yield shown(line, ours, theirs, allowed, f"(A/A {again / theirs:.2f})")
    end(engine, plain, same, hiding)


def taken(sides: Sequence[Side]) -> list[float]:
    """Return the median seconds of each side; who goes first changes from round to round."""
    times: list[list[float]] = [[] for _ in sides]
    for number in range(ROUNDS + WARM_UP):
        start = number % len(sides)
        order = [*range(start, len(sides)), *range(start)]
        for which in order if number % 2 else reversed(order):
            session, statement = sides[which]
            begin = perf_counter()
            statement(session)
            seconds = perf_counter() - begin
            session.expunge_all()
            if number >= WARM_UP:
                times[which].append(seconds)
    return [median(each) for each in times]


def shown(
    line: str, ours: float, theirs: float, allowed: float | None, unit: str = "µs"
) -> Measure:
    """Return the ratio, with the microseconds behind it."""
    return Measure(line, ours / theirs, allowed, f"{ours * 1e6:.0f} to {theirs * 1e6:.0f} {unit}")


def hiding_session(engine: Engine) -> Session:
    """Return a session that hides closed accounts."""
    maker = sessionmaker(engine)
    hide_closed(maker, policy)
    return maker()


def filled() -> Engine:
    """Return the engine of a garden in memory, with people of whom some have left."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    then = datetime(2026, 1, 5, 9, tzinfo=UTC)
    moments = {"inserted_at": then, "updated_at": then}
    people = [
        {
            "id": key,
            "email": f"member{key}@garden.example",
            "deleted_at": None if key % CLOSED else then,
            **moments,
        }
        for key in range(1, PEOPLE + 1)
    ]
    plots = [{"label": str(number), "crop": "beans"} for number in range(PLOTS)]
    with engine.begin() as connection:
        connection.execute(insert(User), people)
        connection.execute(insert(Plot), plots)
    return engine


def end(engine: Engine, *sessions: Session) -> None:
    """Close what was opened."""
    for session in sessions:
        session.close()
    engine.dispose()
