"""Find foreign keys to users without a rule, and relationships without an index."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import ForeignKeyConstraint, PrimaryKeyConstraint, Table, UniqueConstraint

from efface.catalog.metadata import UNMANAGED, VIEW
from efface.errors import Problem
from efface.policy.column_types import by_name, column_names, is_partial
from efface.policy.policy import Policy, TableRules
from efface.policy.relationships import OwnedBy, compared_columns, referring_columns


def unlinked_references(policy: Policy) -> Iterator[Problem]:
    """Yield a warning for each foreign key to the users' table that no rule names."""
    subject = policy.subject_table
    for table_rules in policy.tables.values():
        # The references of a view are those of other tables.
        if not table_rules.has_rules or _is_view(table_rules):
            continue
        links = {tuple(sorted(referring_columns(rule.via))) for rule in table_rules.close_rules}
        for constraint in _sorted(table_rules.table):
            names = column_names(constraint)
            if constraint.referred_table is not subject or tuple(sorted(names)) in links:
                continue
            # A rule for the column itself says that the reference is intended.
            if any(table_rules.columns.get(name) for name in names):
                continue
            text, paste = (
                _between(table_rules, names) if table_rules.subjects else _unlinked(subject, names)
            )
            yield Problem("W101", table_rules.name, names[0], text, paste, level="warning")


def _is_view(table_rules: TableRules) -> bool:
    info = table_rules.table.info
    return bool(table_rules.no_personal_data) and bool(info.get(VIEW) or info.get(UNMANAGED))


def _unlinked(subject: Table, names: tuple[str, ...]) -> tuple[str, str]:
    text = (
        f"{', '.join(names)} refers to {subject.fullname}, but no rule says what happens "
        "to these rows when that user closes the account. Add one of these:"
    )
    via = f'"{names[0]}"' if len(names) == 1 else str(names).replace("'", '"')
    paste = f"on_close(Redact(), via={via})    # on the table\nnot_personal()"
    return text, f"{paste}    # on the column: it may refer to the tombstone row"


def _between(table_rules: TableRules, names: tuple[str, ...]) -> tuple[str, str]:
    """Return text and suggestion for a foreign key from one user to another.

    `on_close` is not among the suggestions: it would close the referencing account, too.
    """
    text = (
        f"{', '.join(names)} refers from one user to another, and stays when either of them "
        "closes the account. Add one of these to the column:"
    )
    cut = "personal(Unlink())    # cleared when the user of this row closes the account\n"
    can_be_cut = all(by_name(table_rules.table)[name].nullable for name in names)
    return text, f"{cut if can_be_cut else ''}not_personal()    # it may refer to a tombstone row"


def unindexed_relationships(policy: Policy, table_rules: TableRules) -> Iterator[Problem]:
    """Yield a warning for each relationship whose columns are not the first of an index.

    Without one, each closure reads the whole table: 300 times slower with a million rows.
    """
    for rule in table_rules.close_rules:
        table, names = table_rules.table, compared_columns(rule.via)
        if isinstance(rule.via, OwnedBy):
            # Efface looks up whether other rows reference the owned row, so their table counts.
            place, _, column = rule.via.by.rpartition(".")
            if place not in policy.tables:
                continue
            table, names = policy.tables[place].table, (column,)
        if any(name not in by_name(table) for name in names) or is_indexed(table, names):
            continue
        joined = "_".join(names)
        listed = ", ".join(f'"{name}"' for name in names)
        text = (
            f"{', '.join(names)} has no index, so each account closure reads the whole table. Add "
            "one:"
        )
        paste = f'Index("ix_{table.name}_{joined}", {listed})'
        yield Problem("W102", table.fullname, names[0], text, paste, level="warning")


def is_indexed(table: Table, names: tuple[str, ...]) -> bool:
    """Return whether *names* are the first columns of an index, in any order."""
    wanted, size = set(names), len(names)
    for constraint in table.constraints:
        if isinstance(constraint, (PrimaryKeyConstraint, UniqueConstraint)):
            found = [column.name for column in constraint.columns]
            if set(found[:size]) == wanted:
                return True
    for index in table.indexes:
        suggest_relationships = [
            getattr(each, "name", None) for each in list(index.expressions)[:size]
        ]
        if set(suggest_relationships) == wanted and not is_partial(index):
            return True
    return False


def _sorted(table: Table) -> list[ForeignKeyConstraint]:
    return sorted(table.foreign_key_constraints, key=column_names)
