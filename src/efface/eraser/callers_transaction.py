"""Join the caller's transaction, and reload the session's objects that a closure changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, inspect, select, tuple_

from efface.eraser.session_engines import SessionEngines
from efface.errors import BindError, EffaceError, StatementError
from efface.plan.cursor import Cursor

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

Bind = Any
"""A `Session` or a `Connection`: the first argument of every call that needs the database."""


@contextmanager
def join(bind: Bind, engines: SessionEngines) -> Iterator[Cursor]:
    """Join the transaction of *bind* and yield a cursor in it.

    If the database refuses a statement, or anything unexpected happens, it rolls back the caller's
    innermost transaction or savepoint: a caller who catches the error must not commit half a
    closing.

    Raises:
        BindError: *bind* is an `AsyncSession`, or neither a session nor a connection.
        SeveralDatabasesError: the tables of the policy are in several databases.
        AutocommitError: the connection commits each statement by itself.
    """
    kind = type(bind).__name__
    if hasattr(bind, "run_sync"):
        raise BindError(kind, 'await session.run_sync(eraser.close_account, pk, actor="...")')
    if isinstance(bind, Connection):
        connection = bind
    elif not hasattr(bind, "flush"):
        raise BindError(kind, 'eraser.close_account(session, pk, actor="...")')
    else:
        # Pending changes of the session must be in the database before rows are counted.
        bind.flush()
        connection = engines.connect(bind)
    cursor = Cursor(connection)
    try:
        yield cursor
    except BaseException as error:
        # Our other errors are raised before anything changes, so the transaction can go on.
        if not isinstance(error, EffaceError) or (
            isinstance(error, StatementError) and error.ends_transaction
        ):
            with suppress(Exception):
                (bind.get_nested_transaction() or bind.get_transaction()).rollback()
        raise
    finally:
        with suppress(Exception):
            cursor.close()


def expire(bind: Bind, tables: Iterable[str]) -> None:
    """Expire the session's objects of *tables*, and no others.

    With an async driver, an expired attribute cannot load itself when it is read. So the objects
    are reloaded immediately, with one query for each class.
    """
    touched = set(tables)
    if isinstance(bind, Connection) or not touched:
        return
    stale: dict[Any, list[Any]] = {}
    for loaded in list(bind.identity_map.values()):
        mapper = inspect(loaded).mapper
        if touched & {getattr(table, "fullname", "") for table in mapper.tables}:
            bind.expire(loaded)
            # By its own class, because a query for a base class leaves out a subclass's columns.
            stale.setdefault(mapper, []).append(loaded)
    for mapper, objects in stale.items():
        # A session may have another database for each class, and none by default.
        if bind.get_bind(mapper).dialect.is_async:
            _reload(bind, mapper, objects)


def _reload(session: Session, mapper: Any, objects: list[Any]) -> None:
    keys = [inspect(each).identity for each in objects]
    columns = [mapper.get_property_by_column(c).class_attribute for c in mapper.primary_key]
    wanted = (
        tuple_(*columns).in_(keys) if len(columns) > 1 else columns[0].in_([k[0] for k in keys])
    )
    query = select(mapper.class_).where(wanted)
    options = {"populate_existing": True, "include_closed": True}
    # By identity: a class with an `__eq__` of its own, such as SQLModel's, has no hash.
    found = {
        inspect(each).identity_key
        for each in session.scalars(query.execution_options(**options)).unique(id)
    }
    for each in objects:
        if inspect(each).identity_key not in found:
            # The row is deleted, so reading any attribute of the object would fail.
            session.expunge(each)
