"""The closings: one row for each, with the receipt that every later call is answered by."""

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

from efface.plan.compiled_statement import CompiledStatement
from efface.plan.cursor import Cursor
from efface.plan.dialect_sql import among, around, at_moment, rows_of_json
from efface.plan.path_sql import bare
from efface.plan.row_locks import claim, lock
from efface.store.efface_tables import closings

_table = bare(closings)
_WRITTEN = ("reference", "subject", "closed_at", "actor", "policy", "receipt")


class Closings:
    """The statements over ``efface_closings``, compiled once for a driver."""

    def __init__(self, dialect: Dialect) -> None:
        """Compile for *dialect*."""
        self._dialect = dialect
        reference = _table.c.reference == _bind("reference")
        at = at_moment(_table.c.closed_at, "at")
        mine = (_table.c.subject == _bind("subject"), at)
        receipt = [_table.c.receipt]
        compiled = self._compiled
        self._add = compiled(
            insert(_table).values({name: _bind(name) for name in _WRITTEN}), "write to"
        )
        rows = rows_of_json(dialect, [closings.c.reference, closings.c.subject])
        self._add_alike = compiled(
            insert(_table).from_select(_WRITTEN, _alike(rows.subquery())), "write to"
        )
        self._of = compiled(
            select(*receipt).where(*mine).order_by(_table.c.id.desc()).limit(1), "read", receipt
        )
        number = func.count(_table.c.subject.distinct(), type_=Integer)
        self._on_record = compiled(
            select(number).where(among(dialect, _table.c.subject, "subjects", String()), at),
            "read",
            [number],
        )
        self._get = compiled(select(*receipt).where(reference), "read", receipt)
        self._settle = compiled(
            update(_table)
            .values(receipt=_bind("receipt"), finalized_at=_bind("finalized_at"))
            .where(reference),
            "write to",
        )
        self._queue()

    def _queue(self) -> None:
        """Compile what finds and locks closings that are to be settled."""
        untouched = _table.c.finalized_at
        locked: list[Any] = [_table.c.receipt, untouched]
        claimed: list[Any] = [_table.c.id, _table.c.reference, _table.c.receipt]
        self._lock = self._compiled(
            lock(
                self._dialect,
                _table,
                among(self._dialect, _table.c.reference, "references", String()),
                columns=locked,
                key=[_table.c.id],
                untouched=untouched,
            ),
            "lock",
            locked,
        )
        due = _table.c.finalized_at.is_(None) & (_table.c.closed_at <= _bind("closed_at"))
        self._claim = self._compiled(
            claim(
                self._dialect,
                _table,
                due & (_table.c.id > _bind("id")),
                columns=claimed,
                key=_table.c.id,
                untouched=untouched,
            ),
            "lock",
            claimed,
        )
        number = func.count(type_=Integer)
        self._due = self._compiled(select(number).select_from(_table).where(due), "read", [number])

    def _compiled(self, clause: Any, act: str, results: Any = ()) -> CompiledStatement:
        return CompiledStatement(
            clause, self._dialect, table=closings.name, act=act, results=results
        )

    def add(self, cursor: Cursor, record: dict[str, Any]) -> None:
        """Record one closing."""
        cursor.run(self._add, record)

    def add_alike(
        self, cursor: Cursor, record: dict[str, Any], pairs: Sequence[tuple[str, str]]
    ) -> None:
        """Record closings that differ from *record* in reference and subject only.

        *pairs* has both for each closing, that of *record* first. The database writes the
        receipts: bringing it the text of a thousand takes longer than the rest.
        """
        reference, subject = pairs[0]
        before, rest = record["receipt"].split(reference, 1)
        between, after = rest.split(subject, 1)
        around = {"before": before, "between": between, "after": after}
        rows = json.dumps([{"reference": of, "subject": whose} for of, whose in pairs])
        cursor.run(self._add_alike, {**record, **around, "records": rows})

    def receipt_of(self, cursor: Cursor, subject: str, closed_at: datetime) -> str | None:
        """Return the receipt of the closing that set this tombstone, or None."""
        found = cursor.rows(self._of, {"subject": subject, **around("at", closed_at)})
        return found[0][0] if found else None

    def receipt(self, cursor: Cursor, reference: str) -> str | None:
        """Return the receipt with this *reference*, or None."""
        found = cursor.rows(self._get, {"reference": reference})
        return found[0][0] if found else None

    def on_record(self, cursor: Cursor, subjects: Sequence[str], closed_at: datetime) -> int:
        """Return how many of these *subjects* have a closing of that moment."""
        named = {"subjects": subjects, **around("at", closed_at)}
        number: int = cursor.rows(self._on_record, named)[0][0]
        return number

    def lock(
        self, cursor: Cursor, references: Sequence[str]
    ) -> Sequence[tuple[str, datetime | None]]:
        """Lock the closings with these *references*; return receipts and when they were settled."""
        found: Sequence[Any] = cursor.rows(self._lock, {"references": references})
        return found

    def claim(self, cursor: Cursor, before: datetime, after: int) -> tuple[int, str, str] | None:
        """Lock the first unsettled closing of that time that nobody else is at, or return None.

        Returns its number, which the next call takes as *after*, its reference and its receipt.
        """
        found: Any = cursor.rows(self._claim, {"closed_at": before, "id": after})
        return found[0] if found else None

    def due(self, cursor: Cursor, before: datetime) -> int:
        """Return how many closings of that time are unsettled."""
        number: int = cursor.rows(self._due, {"closed_at": before})[0][0]
        return number

    def finalize(self, cursor: Cursor, records: Sequence[dict[str, Any]]) -> None:
        """Keep settled receipts in place of those of their closings."""
        cursor.run_by_key(self._settle, records)


def recorded_receipts(connection: Connection, since: datetime | None = None) -> list[str]:
    """Return every recorded receipt, or those of accounts closed *since* a moment, oldest first."""
    query = select(closings.c.receipt).order_by(closings.c.closed_at, closings.c.id)
    if since is not None:
        query = query.where(closings.c.closed_at >= since)
    return list(connection.scalars(query))


def _alike(rows: Subquery) -> Select[Any]:
    """Return the closings of *rows*, each with the one receipt around its own two names."""
    text = [bindparam(name, type_=Text()) for name in ("before", "between", "after")]
    reference, subject = (rows.c[name] for name in ("reference", "subject"))
    receipt = text[0] + reference + text[1] + subject + text[2]
    same = [_bind(name) for name in ("closed_at", "actor", "policy")]
    return select(reference, subject, *same, receipt)


def _bind(name: str) -> Any:
    return bindparam(name, type_=closings.c[name].type)
