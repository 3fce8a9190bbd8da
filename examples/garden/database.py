"""The engine, and the sessions in which everything happens."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, create_engine, event, update
from sqlalchemy.orm import Session, sessionmaker

from efface import Eraser
from efface.sqlalchemy import hide_closed
from garden.accounts.password_hashing import Passwords
from garden.models import User, policy

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def open_engine(url: str) -> Engine:
    """Return an engine that never puts people's values into its error messages."""
    engine = create_engine(url, hide_parameters=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # SQLite neither checks foreign keys nor waits for another writer unless told to.
    connection.execute("PRAGMA busy_timeout = 5000")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def open_sessions(
    engine: Engine, *, secret: bytes, passwords: Passwords | None = None, clock: Clock = utc_now
) -> sessionmaker[Session]:
    """Return the maker of sessions; closed accounts are hidden in all of them.

    What the accounts need besides the database travels in `session.info`.
    """
    tools = {
        "eraser": Eraser(policy, secret=secret, clock=clock),
        "passwords": passwords or Passwords(),
        "clock": clock,
    }
    sessions = sessionmaker(engine, info=tools, expire_on_commit=False)
    hide_closed(sessions, policy)
    return sessions


def lock_account(session: Session, user_id: int) -> bool:
    """Lock an account against closing until the transaction ends; return whether it is open.

    While another transaction closes it, this waits, and then finds no row: `hide_closed` adds the
    condition. It is a write that changes nothing, since SQLite ignores FOR UPDATE.
    """
    locked = session.scalars(
        update(User)
        .where(User.id == user_id)
        .values(id=User.id)
        .returning(User.id)
        .execution_options(synchronize_session=False)
    )
    return locked.first() is not None
