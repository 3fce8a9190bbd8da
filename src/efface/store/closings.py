"""The closings: one row for each, with the receipt that every later call is answered by."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.engine import Dialect

from efface.plan.compiled import Statement
from efface.plan.dialects import rows_of_json
from efface.plan.driver import Driver
from efface.plan.statements import bare
from efface.store.tables import closings

_table = bare(closings)
_WRITTEN = ("reference", "subject", "closed_at", "actor", "policy", "receipt")


class Closings:
    """The statements over ``efface_closings``, compiled once for a driver."""

    def __init__(self, dialect: Dialect) -> None:
        """Compile for *dialect*."""
        reference = _table.c.reference == _bind("reference")
        mine = (_table.c.subject == _bind("subject"), _table.c.closed_at == _bind("closed_at"))
        receipt = [_table.c.receipt]

        def compiled(clause: Any, act: str, results: Any = ()) -> Statement:
            return Statement(clause, dialect, table=closings.name, act=act, results=results)

        self._add = compiled(
            insert(_table).values({name: _bind(name) for name in _WRITTEN}), "write to"
        )
        rows = rows_of_json(dialect, [closings.c[name] for name in _WRITTEN])
        self._add_many = None
        if rows is not None:
            self._add_many = compiled(insert(_table).from_select(_WRITTEN, rows), "write to")
        self._of = compiled(
            select(*receipt).where(*mine).order_by(_table.c.id.desc()).limit(1), "read", receipt
        )
        self._get = compiled(select(*receipt).where(reference), "read", receipt)
        self._settle = compiled(
            update(_table)
            .values(receipt=_bind("receipt"), settled_at=_bind("settled_at"))
            .where(reference),
            "write to",
        )

    def add(self, driver: Driver, records: Sequence[dict[str, Any]]) -> None:
        """Record closings."""
        if self._add_many is not None and len(records) > 1:
            driver.run(self._add_many, {"records": json.dumps(records, default=str)})
        else:
            driver.run_many(self._add, records)

    def receipt_of(self, driver: Driver, subject: str, closed_at: datetime) -> str | None:
        """Return the receipt of the closing that set this tombstone, or None."""
        found = driver.rows(self._of, {"subject": subject, "closed_at": closed_at})
        return found[0][0] if found else None

    def receipt(self, driver: Driver, reference: str) -> str | None:
        """Return the receipt with this *reference*, or None."""
        found = driver.rows(self._get, {"reference": reference})
        return found[0][0] if found else None

    def settle(self, driver: Driver, records: Sequence[dict[str, Any]]) -> None:
        """Keep settled receipts in place of those of their closings."""
        driver.run_many(self._settle, records)


def _bind(name: str) -> Any:
    return bindparam(name, type_=closings.c[name].type)
