"""Foreign keys of the database into rows that a policy deletes.

What happens to a row of another user depends on the ON DELETE that the database has: it is
deleted or changed as well, or the database refuses to close the account.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from efface.catalog.relation import ForeignKey, Relation
from efface.errors import Problem
from efface.policy.actions import Clear, Delete, Redact, Revoke, Unlink
from efface.policy.column_types import column_names
from efface.policy.declarations import CloseRule
from efface.policy.live_tables import LiveTables
from efface.policy.policy import TableRules
from efface.policy.relationships import (
    OwnedBy,
    Via,
    named,
    onward_of,
    referring_columns,
    shown,
)

EFFECTS = {
    "CASCADE": "the database deletes these rows as well, also those of other users",
    "SET NULL": "the database writes NULL into these rows, also into those of other users",
    "SET DEFAULT": "the database changes these rows, also those of other users",
    "NO ACTION": "the database refuses to close the account if such a row remains",
    "RESTRICT": "the database refuses to close the account if such a row remains",
}


def deleted_targets(tables: LiveTables) -> Iterator[Reference]:
    """Yield each foreign key whose rows can outlast the rows that it refers to.

    It leaves out the foreign keys that the database does not enforce, except on SQLite: there
    each connection decides that for all of them.
    """
    for target, parent in tables.with_rules():
        for relation, key in tables.live.references_to(target):
            is_enforced = key.is_checked or key.is_acting or tables.live.dialect == "sqlite"
            if not is_enforced or tables.is_inherited(relation, key):
                continue
            rules = tables.rules(relation)
            columns = tables.spelled(rules, key.columns)
            declared = rules is not None and tables.is_declared(rules, key, parent)
            found = Reference(relation, key, columns, rules, parent, is_declared=declared)
            if found.outlasted_by or found.outlasts_user:
                yield found


def declared_targets(tables: LiveTables) -> Iterator[Problem]:
    """Yield each foreign key of the models whose rows can outlast the rows that it refers to.

    It is a warning if the database refuses, and rules delete the user's own rows: only the
    application knows whether other users have rows there. References with a rule of their own are
    left out.
    """
    for found in deleted_targets(tables):
        rules = found.rules
        # A table without a rule is reported by itself.
        if rules is None or not rules.has_rules or found.is_accepted:
            continue
        if found.refuses and found.belongs_to_target:
            continue
        problem = found.problem()
        if found.refuses and any(map(deletes, rules.close_rules)):
            problem = replace(problem, code="W103", level="warning")
        yield problem


@dataclass(frozen=True)
class Reference:
    """A foreign key into rows that can be deleted.

    Attributes:
        relation: The relation that has it.
        key: The foreign key.
        columns: Its columns, as the models spell them.
        rules: The rules for that relation; None if no model has it.
        parent: The rules for the table that it refers to.
        is_declared: Whether the models have the same foreign key.
    """

    relation: Relation
    key: ForeignKey
    columns: tuple[str, ...]
    rules: TableRules | None
    parent: TableRules
    is_declared: bool

    @property
    def outlasted_by(self) -> list[CloseRule]:
        """Return the rules of the parent that delete rows, and leave rows that refer to these."""
        return [
            rule
            for rule in self.parent.close_rules
            if isinstance(rule.action, (Delete, Revoke)) and not self._is_covered(rule)
        ]

    @property
    def outlasts_user(self) -> bool:
        """Return whether the user's row is deleted, and rows that refer to it can remain."""
        is_removed = any(isinstance(rule.action, Delete) for rule in self.parent.subjects)
        # The graph reports the foreign keys that the models have.
        return is_removed and not self.is_declared and not any(map(self.ends, self.own_rules()))

    @property
    def is_enforced(self) -> bool:
        """Return whether the connection that was asked enforces it."""
        return self.key.is_checked if self.refuses else self.key.is_acting

    @property
    def refuses(self) -> bool:
        """Return whether the database refuses, instead of changing rows of others."""
        return self.key.on_delete in ("NO ACTION", "RESTRICT")

    @property
    def is_accepted(self) -> bool:
        """Return whether each of its columns has a rule of its own.

        That is not enough if the database deletes the rows: these need a rule.
        """
        return (
            self.rules is not None
            and self.key.on_delete != "CASCADE"
            and all(self.rules.columns.get(name) for name in self.columns)
        )

    @property
    def is_harmless(self) -> bool:
        """Return whether the database only changes what the models let it change."""
        return self.is_accepted and not self.refuses

    @property
    def belongs_to_target(self) -> bool:
        """Return whether the rows that it refers to are found through the referring rows.

        Then they are parts of these, as the current version of a text is.
        """
        going, table = self.outlasted_by, self.rules.table if self.rules is not None else None
        keys = self.parent.table.foreign_key_constraints
        return bool(going) and all(
            any(
                key.referred_table is table and column_names(key) == referring_columns(rule.via)
                for key in keys
            )
            for rule in going
        )

    def own_rules(self) -> Iterator[CloseRule]:
        """Yield the rules that follow this foreign key."""
        for rule in self.rules.close_rules if self.rules is not None else ():
            if sorted(referring_columns(rule.via)) == sorted(self.columns):
                yield rule

    def _is_covered(self, going: CloseRule) -> bool:
        """Return whether no row refers any more to the rows that *going* deletes."""
        if isinstance(going.via, OwnedBy):
            # Rows that others refer to stay; only the models' references are counted.
            return self.is_declared
        for rule in self.own_rules():
            if onward_of(rule.via) in ("", named(going.via)) and self.ends(rule):
                return True
        every = self.rules.close_rules if self.rules is not None else ()
        return any(deletes(rule) and self.is_same_user(rule.via, going.via) for rule in every)

    def ends(self, rule: CloseRule) -> bool:
        """Return whether *rule* deletes the rows, or writes over the foreign key."""
        if deletes(rule):
            return True
        return isinstance(rule.action, Redact) and any(
            isinstance(each.action, (Unlink, Clear)) and each.via in (None, rule.via)
            for name in self.columns
            for each in (self.rules.columns.get(name, ()) if self.rules is not None else ())
        )

    def is_same_user(self, via: Via, going: Via) -> bool:
        """Return whether the foreign key itself has the columns by which both rows are found."""
        pairs = dict(zip(self.columns, self.key.target_columns, strict=True))
        mine = [pairs.get(name) for name in referring_columns(via)]
        return (
            bool(mine)
            and mine == [*referring_columns(going)]
            and onward_of(via) == onward_of(going)
        )

    def problem(self) -> Problem:
        """Return the problem, and what can be done about it."""
        names, parent = ", ".join(self.columns), self.parent.name
        known = "" if self.rules is not None else "No model has this table. "
        choices = self._choices()
        text = (
            f"{known}{names} refers to {parent}, whose rows the policy deletes: "
            f"{EFFECTS[self.key.on_delete]} (ON DELETE {self.key.on_delete}). {choices}"
            f"{'Or keep' if choices else 'Keep'} the rows of {parent} without their values, on "
            f"{parent}:"
        )
        kept = [f"on_close(Redact(), via={shown(rule.via)})" for rule in self.outlasted_by]
        paste = "\n".join(kept) or "data_subject()"
        # The database refuses before anything is lost.
        if self.is_accepted:
            return Problem("W103", str(self.relation), self.columns[0], text, paste, "warning")
        return Problem("E203", str(self.relation), self.columns[0], text, paste)

    def _choices(self) -> str:
        if self.rules is None:
            return "Add the table to the models with a rule, or change the foreign key. "
        via = shown(self.columns[0] if len(self.columns) == 1 else self.columns)
        columns, found = " and ".join(self.columns), []
        is_other = self.rules is not self.parent
        if is_other and all(
            c.nullable for c in self.relation.columns if c.name in self.key.columns
        ):
            unlink = f"personal(Unlink(), via={via})"
            found.append(f"Use on_close(Redact(), via={via}), and {unlink} on {columns}. ")
        if self.key.on_delete != "CASCADE" and not self.is_accepted:
            reason = "no row of another user refers to them" if self.refuses else "that is meant"
            found.append(f"If {reason}, mark {columns} with not_personal(). ")
        if is_other:
            found.append(f"Delete these rows with on_close(Delete(), via={via}). ")
        return "".join(found)


def deletes(rule: CloseRule) -> bool:
    """Return whether *rule* deletes the rows that it finds."""
    return isinstance(rule.action, (Delete, Revoke))
