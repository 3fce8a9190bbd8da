"""Markers that stand beside the models and put a decision into ``info``.

Markers are `SchemaItem`s, so they go where constraints go: into ``__table_args__``, after the type
of a column, into Core tables. Each lies in ``info`` under itself as key: mixins, ``Annotated``
types and ``to_metadata`` carry it along, and two of them never overwrite one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, Table
from sqlalchemy.schema import SchemaItem

from efface.policy.actions import ColumnAction, Delete, Redact, RowAction
from efface.policy.relationships import Via


@dataclass(frozen=True, slots=True)
class SubjectRule:
    """What `data_subject` says about a table."""

    action: Redact | Delete = field(default_factory=Redact)
    identifiers: tuple[str, ...] = ()
    deleted_at: str = "deleted_at"
    not_personal: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CloseRule:
    """What one `on_close` says about a table."""

    action: RowAction
    via: Via
    identifiers: tuple[str, ...] = ()
    not_personal: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NoPersonalDataRule:
    """What `no_personal_data` says about a table."""

    reason: str


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """What `personal` or `not_personal` says about a column; no action means not personal."""

    action: ColumnAction | None
    via: Via | None = None


class RuleItem(SchemaItem):
    """A decision on its way into the ``info`` of the table or column it is given to."""

    def __init__(
        self,
        rule: SubjectRule | CloseRule | NoPersonalDataRule | ColumnRule,
        place: type[SchemaItem],
    ) -> None:
        """Keep the decision and the kind of item it belongs to."""
        self.rule = rule
        self.place = place

    def _set_parent(self, parent: Any, **_: Any) -> None:
        if not isinstance(parent, self.place):
            raise TypeError(
                f"{type(self.rule).__name__} belongs to a {self.place.__name__.lower()}, "
                f"not to a {type(parent).__name__.lower()}."
            )
        parent.info[self] = self.rule


def data_subject(
    action: Redact | Delete = Redact(),  # noqa: B008  # frozen value
    *,
    identifiers: Sequence[str] = (),
    deleted_at: str = "deleted_at",
    not_personal: Sequence[str] = (),
) -> RuleItem:
    """Mark the table whose rows are people; a policy has exactly one.

    Args:
        action: `Redact` leaves a tombstone that other rows may refer to; `Delete` removes the row.
        identifiers: Columns whose values name the person elsewhere.
        deleted_at: The column that marks a closed account.
        not_personal: Columns decided as not personal.
    """
    rule = SubjectRule(action, tuple(identifiers), deleted_at, tuple(not_personal))
    return RuleItem(rule, Table)


def on_close(
    action: RowAction,
    via: Via,
    *,
    identifiers: Sequence[str] = (),
    not_personal: Sequence[str] = (),
) -> RuleItem:
    """Mark a table: what happens to the rows that a link reaches when the subject leaves.

    Args:
        action: What happens to those rows.
        via: The referring column (or tuple of columns), a `MatchBy`, `OwnedBy` or `Generic`.
            Through another table: the column that refers to it; with several links there,
            ``"column.link"``.
        identifiers: Columns that hold former or secondary identifiers of the person.
        not_personal: Columns decided as not personal.
    """
    return RuleItem(CloseRule(action, via, tuple(identifiers), tuple(not_personal)), Table)


def no_personal_data(*, reason: str) -> RuleItem:
    """Mark a table that holds nothing about anybody, with the reason."""
    return RuleItem(NoPersonalDataRule(reason), Table)


def personal(action: ColumnAction, via: Via | None = None) -> RuleItem:
    """Mark a column: how its value goes. With several links, *via* says whose value it is."""
    return RuleItem(ColumnRule(action, via), Column)


def not_personal() -> RuleItem:
    """Mark a column as decided: it says nothing about a person."""
    return RuleItem(ColumnRule(None, None), Column)


def rules_in(item: Table | Column[Any]) -> list[Any]:
    """Return the decisions in the ``info`` of *item*, in the order they were given."""
    return [rule for key, rule in item.info.items() if isinstance(key, RuleItem)]
