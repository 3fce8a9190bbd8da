"""The path from a table's rows to the subject, and the rule that describes it."""

from __future__ import annotations

from dataclasses import dataclass

from efface.graph.hops import Hop, names_of
from efface.policy.declarations import CloseRule
from efface.policy.policy import Policy


@dataclass(frozen=True)
class Path:
    """The hops from a table's rows to the subject's row.

    For an owned table (`OwnedBy`), ``incoming`` has all foreign keys that reference it, each with
    the paths that tell whether the referencing row is the subject's.
    """

    hops: tuple[Hop, ...]
    incoming: tuple[tuple[Hop, tuple[Path, ...]], ...] = ()

    @property
    def depth(self) -> int:
        """Return the number of hops to the subject."""
        return len(self.hops)

    def __str__(self) -> str:
        """Return the path as ``invoices.order_id → orders.user_id → users.id``."""
        places = [f"{hop.table.fullname}.{names_of(hop.columns)}" for hop in self.hops]
        last = self.hops[-1]
        return " → ".join([*places, f"{last.target.fullname}.{names_of(last.target_columns)}"])


@dataclass(frozen=True)
class Relationship:
    """One `on_close` rule and the path to the subject that it describes."""

    rule: CloseRule
    path: Path

    @property
    def through(self) -> str:
        """Return the relationship as a plan shows it."""
        via = self.rule.via
        return ", ".join(via) if isinstance(via, tuple) else str(via)

    def is_overwritten(self, policy: Policy) -> bool:
        """Return whether redacting rows overwrites a column of the path."""
        return any(
            policy.tables[hop.table.fullname].overwrites(tuple(column.name for column in columns))
            for hop in self.path.hops
            for columns in (hop.columns, (hop.generic_type.column,) if hop.generic_type else ())
        )
