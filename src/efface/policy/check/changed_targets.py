"""Find foreign keys to columns whose values closures change.

The database refuses such a change while a row refers to the old value, unless the foreign key
says ON UPDATE CASCADE or SET NULL. Without a constraint, the row would refer to nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from efface.errors import Problem
from efface.policy.actions import Clear, Redact, ReplaceMentions, RowAction, Unlink
from efface.policy.check.deleted_targets import Reference, deletes
from efface.policy.declarations import ColumnRule
from efface.policy.live_tables import LiveTables
from efface.policy.relationships import Via, named, onward_of, shown


def changed_targets(tables: LiveTables) -> Iterator[Problem]:
    """Yield each foreign key that would stop a closure, or no longer fit after it."""
    for target, parent in tables.with_rules():
        for relation, key in tables.live.references_to(target):
            rules = tables.rules(relation)
            # A table without a rule is reported by itself.
            if tables.is_inherited(relation, key) or (rules is not None and not rules.has_rules):
                continue
            columns = tables.spelled(rules, key.columns)
            declared = rules is not None and tables.is_declared(rules, key, parent)
            reference = Reference(relation, key, columns, rules, parent, is_declared=declared)
            found = _Change(reference, tables.spelled(parent, key.target_columns))
            if found.stops:
                yield found.problem(is_sqlite=tables.live.dialect == "sqlite")


@dataclass(frozen=True)
class _Change:
    """A foreign key, and the columns that it refers to as the models spell them."""

    reference: Reference
    targets: tuple[str, ...]

    @property
    def stops(self) -> bool:
        """Return whether a row can still refer to a value when it changes."""
        parent = self.reference.parent
        every: list[tuple[RowAction, Via | None]] = [
            (rule.action, None) for rule in parent.subjects
        ]
        every += [(rule.action, rule.via) for rule in parent.close_rules]
        return any(
            isinstance(action, Redact) and not self._follows(via) and not self._is_covered(via)
            for action, via in every
            if self._changes(via)
        )

    def _changes(self, via: Via | None) -> list[ColumnRule]:
        """Return the rules that change what the foreign key refers to."""
        rules = self.reference.parent.columns
        found = [each for name in self.targets for each in rules.get(name, ())]
        return [each for each in found if each.action and each.via in (None, via)]

    def _follows(self, via: Via | None) -> bool:
        """Return whether the database changes the foreign key as well."""
        key, nullable = self.reference.key, self._is_nullable()
        if not key.is_acting:
            return False
        if key.on_update == "CASCADE":
            to_null = any(isinstance(e.action, (Clear, Unlink)) for e in self._changes(via))
            return nullable or not to_null
        if key.on_update == "SET NULL":
            return nullable
        # Only the database knows whether another row has the default.
        return key.on_update == "SET DEFAULT"

    def _is_nullable(self) -> bool:
        relation, columns = self.reference.relation, self.reference.key.columns
        return all(c.nullable for c in relation.columns if c.name in columns)

    def _is_covered(self, via: Via | None) -> bool:
        """Return whether no row refers to the old value any more."""
        onward = "" if via is None else named(via)
        reference = self.reference
        for rule in reference.own_rules():
            if onward_of(rule.via) in ("", onward) and reference.ends(rule):
                return True
        every = reference.rules.close_rules if reference.rules is not None else ()
        same = [rule for rule in every if via is not None and reference.is_same_user(rule.via, via)]
        return any(map(deletes, same))

    def problem(self, *, is_sqlite: bool) -> Problem:
        """Return the problem, and what can be done about it."""
        reference, key = self.reference, self.reference.key
        names, place = ", ".join(reference.columns), str(reference.relation)
        targets = ", ".join(f"{reference.parent.name}.{name}" for name in self.targets)
        known = "" if reference.rules is not None else "No model has this table. "
        text = f"{known}{names} refers to {targets}, which closures change. "
        # Each connection to SQLite decides whether foreign keys are enforced.
        is_checked = key.is_checked or is_sqlite
        if is_checked:
            text += "The database refuses that while such a row remains "
            text += f"(ON UPDATE {key.on_update}). "
        else:
            text += "The database has no constraint, so these rows keep the old value. "
        edits = [isinstance(e.action, ReplaceMentions) for e in self._changes_of_any()]
        is_certain = is_checked and not reference.is_accepted and not all(edits)
        text, paste = self._choices(text)
        if not is_certain:
            return Problem("W103", place, reference.columns[0], text, paste, "warning")
        return Problem("E103", place, reference.columns[0], text, paste)

    def _changes_of_any(self) -> list[ColumnRule]:
        rules = self.reference.parent.columns
        return [e for name in self.targets for e in rules.get(name, ()) if e.action]

    def _choices(self, text: str) -> tuple[str, str]:
        reference, rules = self.reference, self.reference.rules
        on_parent = f"keep {', '.join(self.targets)} of {reference.parent.name}"
        if rules is None:
            return f"{text}Add the table to the models with a rule, or {on_parent}.", ""
        via = shown(reference.columns[0] if len(reference.columns) == 1 else reference.columns)
        if rules is reference.parent:
            text += f"You can {on_parent}"
        else:
            text += f"Delete these rows with on_close(Delete(), via={via}), or {on_parent}"
        text += ", or let the foreign key follow: ON UPDATE CASCADE. "
        if rules is reference.parent or not self._is_nullable():
            return text.strip(), ""
        names = ", ".join(reference.columns)
        return f"{text}Or use on_close(Redact(), via={via}) and, on {names}:", "personal(Unlink())"
