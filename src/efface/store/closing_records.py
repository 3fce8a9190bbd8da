"""Read and write ``efface_closings``, the table with one receipt for each account closure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Integer,
    Select,
    String,
    Subquery,
    Text,
    bindparam,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.engine import Dialect

from efface.plan.closing_subjects import as_utc
from efface.plan.compiled_statement import CompiledStatement
from efface.plan.cursor import Cursor
from efface.plan.dialect_sql import (
    at_moment,
    is_any_of,
    moment_bounds,
    rows_of_json,
)
from efface.plan.path_sql import bare
from efface.plan.row_locks import claim, lock
from efface.plan.writes_by_key import WriteByKey
from efface.store.efface_tables import closings

_table = bare(closings)
_INSERTED = ("reference", "subject", "closed_at", "actor", "policy", "receipt")


class Closings:
    """The statements on ``efface_closings``, compiled once for a driver."""

    def __init__(self, dialect: Dialect) -> None:
        """Compile for *dialect*."""
        self._dialect = dialect
        reference = _table.c.reference == _bind("reference")
        at = at_moment(_table.c.closed_at, "at")
        mine = (_table.c.subject == _bind("subject"), at)
        receipt = [_table.c.receipt]
        compiled = self._compiled
        self._add = compiled(
            insert(_table).values({n: _bind(n) for n in (*_INSERTED, "finalized_at")}), "write to"
        )
        rows = rows_of_json(dialect, [closings.c.reference, closings.c.subject])
        self._add_batch = compiled(
            insert(_table).from_select(_INSERTED, _batch_rows(rows.subquery())), "write to"
        )
        # The first one: a deletion of retained records can be recorded in the same second.
        self._select_by_subject = compiled(
            select(*receipt).where(*mine).order_by(_table.c.id).limit(1), "read", receipt
        )
        number = func.count(_table.c.subject.distinct(), type_=Integer)
        self._count_recorded = compiled(
            select(number).where(is_any_of(dialect, _table.c.subject, "subjects", String()), at),
            "read",
            [number],
        )
        self._select_by_reference = compiled(select(*receipt).where(reference), "read", receipt)
        names = ("receipt", "finalized_at")
        self._finalize = WriteByKey(
            dialect,
            closings.name,
            "write to",
            [_table.c.reference],
            {name: _table.c[name].type for name in names},
            lambda new: update(_table).values({name: new[name] for name in names}),
        )
        self._compile_queue()

    def _compile_queue(self) -> None:
        """Compile the statements that find and lock pending closings."""
        no_op_column = _table.c.finalized_at
        locked: list[Any] = [_table.c.receipt, no_op_column]
        claimed: list[Any] = [_table.c.id, _table.c.reference, _table.c.receipt]
        self._lock = self._compiled(
            lock(
                self._dialect,
                _table,
                is_any_of(self._dialect, _table.c.reference, "references", String()),
                columns=locked,
                key=[_table.c.id],
                no_op_column=no_op_column,
            ),
            "lock",
            locked,
        )
        pending = _table.c.finalized_at.is_(None) & (_table.c.closed_at <= _bind("closed_at"))
        self._claim = self._compiled(
            claim(
                self._dialect,
                _table,
                pending & (_table.c.id > _bind("id")),
                columns=claimed,
                key=_table.c.id,
                no_op_column=no_op_column,
            ),
            "lock",
            claimed,
        )
        number = func.count(type_=Integer)
        self._count_pending = self._compiled(
            select(number).select_from(_table).where(pending), "read", [number]
        )

    def _compiled(self, clause: Any, act: str, results: Any = ()) -> CompiledStatement:
        return CompiledStatement(
            clause, self._dialect, table=closings.name, act=act, results=results
        )

    def add(self, cursor: Cursor, record: dict[str, Any]) -> None:
        """Record one closure."""
        cursor.run(self._add, record)

    def add_batch(
        self, cursor: Cursor, record: dict[str, Any], pairs: Sequence[tuple[str, str]]
    ) -> None:
        """Record closures that differ from *record* only in reference and subject.

        The database composes the receipts, because sending a thousand of them takes longer than
        everything else.

        Args:
            cursor: The cursor in the caller's transaction.
            record: The first closure.
            pairs: Reference and subject of each closure, those of *record* first.
        """
        reference, subject = pairs[0]
        # The receipts of a batch differ in these two values only, so the text is split there.
        before, rest = record["receipt"].split(reference, 1)
        between, after = rest.split(subject, 1)
        moment_bounds = {"before": before, "between": between, "after": after}
        rows = json.dumps([{"reference": of, "subject": whose} for of, whose in pairs])
        cursor.run(self._add_batch, {**record, **moment_bounds, "records": rows})

    def receipt_for(self, cursor: Cursor, subject: str, closed_at: datetime) -> str | None:
        """Return the receipt of the closure of *subject* at that moment, or None."""
        found = cursor.rows(
            self._select_by_subject, {"subject": subject, **moment_bounds("at", closed_at)}
        )
        return found[0][0] if found else None

    def receipt(self, cursor: Cursor, reference: str) -> str | None:
        """Return the receipt with this *reference*, or None."""
        found = cursor.rows(self._select_by_reference, {"reference": reference})
        return found[0][0] if found else None

    def count_recorded(self, cursor: Cursor, subjects: Sequence[str], closed_at: datetime) -> int:
        """Return how many of these *subjects* were closed at that moment."""
        named = {"subjects": subjects, **moment_bounds("at", closed_at)}
        number: int = cursor.rows(self._count_recorded, named)[0][0]
        return number

    def lock(
        self, cursor: Cursor, references: Sequence[str]
    ) -> Sequence[tuple[str, datetime | None]]:
        """Lock the closures with these *references*; return receipts and ``finalized_at``."""
        found: Sequence[Any] = cursor.rows(self._lock, {"references": references})
        return found

    def claim(self, cursor: Cursor, before: datetime, after: int) -> tuple[int, str, str] | None:
        """Lock the first pending closing that no other session has locked, or return None.

        Args:
            cursor: The cursor in the caller's transaction.
            before: Leaves out closures after this moment.
            after: Leaves out closures with an id up to this one.

        Returns:
            Its id, its reference and its receipt.
        """
        found: Any = cursor.rows(self._claim, {"closed_at": before, "id": after})
        return found[0] if found else None

    def count_pending(self, cursor: Cursor, before: datetime) -> int:
        """Return how many closures from *before* that moment are pending."""
        number: int = cursor.rows(self._count_pending, {"closed_at": before})[0][0]
        return number

    def finalize(self, cursor: Cursor, records: Sequence[dict[str, Any]]) -> None:
        """Replace the receipts of closures with their finalized ones."""
        rows = [{"key_0": record["reference"], **record} for record in records]
        self._finalize.run(cursor, rows, {})

    def recorded(
        self, connection: Connection, subjects: Sequence[str]
    ) -> set[tuple[str, datetime]]:
        """Return the closures of these *subjects*: each with its moment, to the second."""
        mine = is_any_of(self._dialect, closings.c.subject, "subjects", String())
        found = connection.execute(
            select(closings.c.subject, closings.c.closed_at).where(mine), {"subjects": subjects}
        )
        moments = ((whose, as_utc(at)) for whose, at in found)
        return {(whose, at.replace(microsecond=0)) for whose, at in moments if at is not None}


def recorded_receipts(connection: Connection, since: datetime | None = None) -> list[str]:
    """Return the recorded receipts of accounts closed *since* a moment, oldest first."""
    query = select(closings.c.receipt).order_by(closings.c.closed_at, closings.c.id)
    if since is not None:
        query = query.where(closings.c.closed_at >= since)
    return list(connection.scalars(query))


def _batch_rows(rows: Subquery) -> Select[Any]:
    """Return a query of closures: the shared receipt with each one's reference and subject."""
    text = [bindparam(name, type_=Text()) for name in ("before", "between", "after")]
    reference, subject = (rows.c[name] for name in ("reference", "subject"))
    receipt = text[0] + reference + text[1] + subject + text[2]
    same = [_bind(name) for name in ("closed_at", "actor", "policy")]
    return select(reference, subject, *same, receipt)


def _bind(name: str) -> Any:
    return bindparam(name, type_=closings.c[name].type)
