"""Declare rules next to the models, in ``__table_args__`` and ``mapped_column``.

A rule is a `SchemaItem` and is allowed wherever SQLAlchemy allows a constraint. It is stored in
``info`` of its table or column with itself as the key, so mixins, ``Annotated`` types and
``to_metadata`` copy it, and no rule overwrites another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, Table
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import SchemaItem

from efface.errors import RulePlacementError
from efface.policy.actions import ColumnAction, Delete, Redact, RowAction
from efface.policy.relationships import Via
from efface.policy.rule_arguments import (
    require_column_action,
    require_names,
    require_row_action,
    require_via,
)


@dataclass(frozen=True, slots=True)
class SubjectRule:
    """Record the arguments of `data_subject`."""

    action: Redact | Delete = field(default_factory=Redact)
    identifiers: tuple[str, ...] = ()
    deleted_at: str = "deleted_at"
    not_personal: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CloseRule:
    """Record the arguments of one `on_close`."""

    action: RowAction
    via: Via
    identifiers: tuple[str, ...] = ()
    not_personal: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NoPersonalDataRule:
    """Record the argument of `no_personal_data`."""

    reason: str


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """Record the arguments of `personal`; ``action`` is None for `not_personal`."""

    action: ColumnAction | None
    via: Via | None = None


class RuleItem(SchemaItem):
    """Attach a rule to the ``info`` of the table or column it is passed to."""

    def __init__(
        self,
        rule: SubjectRule | CloseRule | NoPersonalDataRule | ColumnRule,
        place: type[SchemaItem],
    ) -> None:
        """Keep the rule and whether it is for a `Table` or a `Column`."""
        self.rule = rule
        self.place = place

    def _set_parent(self, parent: Any, **_: Any) -> None:
        if not isinstance(parent, self.place):
            place, found = self.place.__name__.lower(), type(parent).__name__.lower()
            raise RulePlacementError(self._typed(), place, found)
        # The item itself is the key, so that two on_close() of one table do not overwrite each
        # other.
        parent.info[self] = self.rule

    def _typed(self) -> str:
        """Return the call that made this item."""
        if isinstance(self.rule, ColumnRule):
            return "not_personal()" if self.rule.action is None else "personal()"
        return CALLS[type(self.rule)]


CALLS: dict[type[Any], str] = {
    SubjectRule: "data_subject()",
    CloseRule: "on_close()",
    NoPersonalDataRule: "no_personal_data()",
}


def data_subject(
    action: Redact | Delete = Redact(),  # noqa: B008  # frozen value
    *,
    identifiers: Sequence[str] = (),
    deleted_at: str = "deleted_at",
    not_personal: Sequence[str] = (),
) -> RuleItem:
    """Declare the table of users. A policy has exactly one.

    Pass it to ``__table_args__``. The term is the law's: a *data subject* is the person whose data
    you process (GDPR Art. 4(1)).

    Args:
        action: `Redact` keeps the row as a tombstone that other rows can reference. `Delete`
            deletes it.
        identifiers: Columns whose values identify the user in text of other tables.
        deleted_at: The column that stores when the account was closed: a nullable `DateTime`. NULL
            means that the account is open.
        not_personal: Columns without personal data.

    Raises:
        RuleArgumentError: an argument can't be carried out, such as ``Delete`` without parentheses.
        TypeError: when SQLAlchemy attaches the rule, if you passed it to a column.

    Example:
        >>> class Member(Base):
        ...     __tablename__ = "members"
        ...     __table_args__ = (data_subject(identifiers=["email"]),)
        ...     id: Mapped[int] = mapped_column(primary_key=True)
        ...     email: Mapped[str] = mapped_column(personal(Placeholder.email()))
        ...     deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
        >>> Policy.from_metadata(Base.metadata).tables["members"].subjects[0].identifiers
        ('email',)
    """
    require_row_action("data_subject", action, (Redact, Delete))
    named = require_names("data_subject", "identifiers", identifiers)
    plain = require_names("data_subject", "not_personal", not_personal)
    return RuleItem(SubjectRule(action, named, deleted_at, plain), Table)


def on_close(
    action: RowAction,
    via: Via,
    *,
    identifiers: Sequence[str] = (),
    not_personal: Sequence[str] = (),
) -> RuleItem:
    """Declare what happens to the user's rows in a table when the account is closed.

    Pass it to ``__table_args__``, once for each relationship to the users' table. If several rules
    match a row, `Retain` wins over `Redact`, and `Redact` over `Delete` and `Revoke`, unless
    redacting the row overwrites the relationship of its own rule.

    Args:
        action: `Delete`, `Redact`, `Retain` or `Revoke`.
        via: How to find the user's rows: the foreign key's column (or a tuple of columns), or a
            `MatchBy`, `OwnedBy` or `Generic`. The foreign key may reference another table that
            has a rule. If that table has several, name the one you mean: ``"column.via"``.
        identifiers: Columns with former or secondary identifiers of the user.
        not_personal: Columns without personal data.

    Raises:
        RuleArgumentError: an argument can't be carried out, such as ``Delete`` without parentheses.
        TypeError: when SQLAlchemy attaches the rule, if you passed it to a column.

    Example:
        >>> class Bookmark(Base):
        ...     __tablename__ = "bookmarks"
        ...     __table_args__ = (on_close(Delete(), via="user_id"),)
        ...     id: Mapped[int] = mapped_column(primary_key=True)
        ...     user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
        ...     address: Mapped[str]
        >>> Policy.from_metadata(Base.metadata).tables["bookmarks"].close_rules[0].action
        Delete()
    """
    require_row_action("on_close", action)
    require_via(via)
    named = require_names("on_close", "identifiers", identifiers)
    plain = require_names("on_close", "not_personal", not_personal)
    return RuleItem(CloseRule(action, via, named, plain), Table)


def no_personal_data(*, reason: str) -> RuleItem:
    """Declare that a table has no personal data. Its columns need no rule.

    Pass it to ``__table_args__``.

    Args:
        reason: Why, for those who review the policy.

    Raises:
        TypeError: when SQLAlchemy attaches the rule, if you passed it to a column.

    Example:
        >>> class Country(Base):
        ...     __tablename__ = "countries"
        ...     __table_args__ = (no_personal_data(reason="a fixed list"),)
        ...     code: Mapped[str] = mapped_column(primary_key=True)
        >>> Policy.from_metadata(Base.metadata).tables["countries"].has_rules
        True
    """
    return RuleItem(NoPersonalDataRule(reason), Table)


def personal(action: ColumnAction, via: Via | None = None) -> RuleItem:
    """Declare that a column has personal data, and what happens to its value.

    Pass it to ``mapped_column`` after the type.

    Args:
        action: `Clear`, `Replace`, `Placeholder`, `ReplaceMentions`, `Generalize` or `Unlink`.
        via: Whose value it is, if the table has several `on_close` rules, such as one for the
            sender and one for the recipient: the same *via* as in that rule.

    Raises:
        RuleArgumentError: an argument can't be carried out, such as ``Delete`` without parentheses.
        TypeError: when SQLAlchemy attaches the rule, if you passed it to a table.

    Example:
        >>> class Profile(Base):
        ...     __tablename__ = "profiles"
        ...     __table_args__ = (on_close(Redact(), via="user_id"),)
        ...     id: Mapped[int] = mapped_column(primary_key=True)
        ...     user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
        ...     phone: Mapped[str | None] = mapped_column(String(30), personal(Clear()))
        >>> profiles = Policy.from_metadata(Base.metadata).tables["profiles"]
        >>> [(column.name, column.action) for column in profiles.personal_columns()]
        [('phone', Clear())]
    """
    require_column_action(action)
    if via is not None:
        require_via(via)
    return RuleItem(ColumnRule(action, via), Column)


def not_personal() -> RuleItem:
    """Declare that a column has no personal data. Its value doesn't change.

    Pass it to ``mapped_column`` after the type.

    Raises:
        TypeError: when SQLAlchemy attaches the rule, if you passed it to a table.
    """
    return RuleItem(ColumnRule(None, None), Column)


def rules_in(item: Table | Column[Any]) -> list[Any]:
    """Return the rules in the ``info`` of *item*, in the order in which they were declared.

    The rules of an abstract base class are for the table of the class that inherits from it, and
    not for a table that joins a subclass to that one.
    """
    inherited = _rules_of_parents(item) if isinstance(item, Table) else ()
    return [
        rule
        for key, rule in item.info.items()
        if isinstance(key, RuleItem) and not any(key is each for each in inherited)
    ]


def _rules_of_parents(table: Table) -> list[Any]:
    """Return the rule items of the tables whose primary key is the one of *table*, too."""
    found: list[Any] = []
    if table.info:
        keys = {column.name for column in table.primary_key}
        for constraint in table.foreign_key_constraints:
            if {element.parent.name for element in constraint.elements} == keys:
                # A table that is not defined yet has no rules.
                with suppress(SQLAlchemyError):
                    parent = constraint.referred_table
                    found += parent.info if parent is not table else ()
    return found
