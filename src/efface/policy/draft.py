"""A first policy from names and types: guesses with how sure they are; the rest is undecided."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy import MetaData, Table

from efface.policy import guesses
from efface.policy.actions import Delete, Revoke, RowAction
from efface.policy.check.decisions import link_columns, needs_no_mark
from efface.policy.document import Remarks, document
from efface.policy.file import Decisions
from efface.policy.markers import ColumnMark, LeavingMark, SubjectMark, UnrelatedMark
from efface.policy.rules import Policy, TableRule

HEAD = (
    "A first policy, from names and types. Read every line: a guess is no decision.",
    "What could not be guessed is listed below its table, and stops `efface check` until it is",
    "decided. Beside each guess stands how sure it is: sure, likely, a guess.",
)
AUTHORS = ("author", "sender", "writer", "creator", "user", "owner")
"""Of several links, whose text it probably is."""


@dataclass
class _Drafted:
    """One table on its way into the file."""

    made: Decisions = field(default_factory=Decisions)
    above: list[str] = field(default_factory=list)
    beside: dict[str, str] = field(default_factory=dict)
    below: list[str] = field(default_factory=list)


def draft(metadata: MetaData) -> str:
    """Return a first policy for *metadata* as TOML.

    Tables and columns that carry a marker already are left alone: the file is an overlay.

    Args:
        metadata: Models, or a reflected schema.

    Raises:
        MissingExtraError: tomlkit is not installed.
    """
    drafting = _Drafting(metadata)
    tables = drafting.tables()
    return document(
        {name: each.made for name, each in tables.items() if each.made.table or each.made.columns},
        {
            name: Remarks(each.above, each.beside, each.below)
            for name, each in tables.items()
            if each.above or each.below or each.beside
        },
        [*HEAD, *drafting.notes],
    )


class _Drafting:
    """The guesses for one schema, people first and then outwards along the references."""

    def __init__(self, metadata: MetaData) -> None:
        self._rules = Policy.from_metadata(metadata).tables
        self.notes: list[str] = []
        self._actions: dict[str, RowAction] = {}
        self._people: Table | None = None

    def tables(self) -> dict[str, _Drafted]:
        """Return what is to be written about each table."""
        drafted: dict[str, _Drafted] = {}
        self._subject(drafted)
        waiting = {name: rule for name, rule in self._rules.items() if name not in drafted}
        for name, rule in waiting.items():
            for mark in rule.leavings:
                self._actions[name] = mark.action
        # A table found through another one is guessed after it: its rows may not outlive those.
        while ready := [rule for rule in waiting.values() if self._links(rule)]:
            for rule in ready:
                drafted[rule.name] = self._linked(rule)
                del waiting[rule.name]
        for name, rule in waiting.items():
            drafted[name] = self._unlinked(rule)
        return drafted

    def _subject(self, drafted: dict[str, _Drafted]) -> None:
        for rule in self._rules.values():
            if rule.subjects:
                self._people = rule.table
                drafted[rule.name] = each = _Drafted()
                self._columns(rule, each)
                return
        found = guesses.subject(rule.table for rule in self._rules.values())
        if found is None:
            self.notes.append("No table looks like the one whose rows are people: mark it first.")
            return
        self._people, guess = found
        table = self._people
        drafted[table.fullname] = each = _Drafted()
        each.above.append(f"whose rows are people · {guess}")
        mark = SubjectMark(identifiers=guesses.identifiers(table))
        each.made.table.append(mark)
        if mark.tombstone not in table.c:
            each.below.append(
                f"missing: the column {mark.tombstone}. In a migration, after `import "
                f'efface.alembic`: op.add_tombstone("{table.name}")'
            )
        self._columns(_as_if(self._rules[table.fullname], [mark]), each)

    def _links(self, rule: TableRule) -> list[tuple[str, ...]]:
        """Return the references of a table that lead, or are guessed to lead, to the people."""
        return sorted(
            tuple(constraint.column_keys)
            for constraint in rule.table.foreign_key_constraints
            if constraint.referred_table is not rule.table
            and (
                constraint.referred_table is self._people
                or constraint.referred_table.fullname in self._actions
            )
        )

    def _linked(self, rule: TableRule) -> _Drafted:
        each = _Drafted()
        if rule.is_decided:
            self._columns(rule, each)
            return each
        links = self._links(rule)
        direct = [names for names in links if self._goes_to_people(rule, names)]
        names = ", ".join(" and ".join(link) for link in direct or links)
        guess = guesses.rows(rule.table)
        if guesses.is_record(rule.table):
            each.above.append(
                f"undecided: {rule.name}, linked by {names}. A law may want it kept: Retain with "
                "period, basis and because"
            )
            return each
        if guess is None:
            each.above.append(f"undecided: {rule.name}, linked by {names}. Delete, Redact, Retain?")
            return each
        if not direct:
            if len(links) > 1:
                each.above.append(
                    f"undecided: {rule.name}, linked through several tables ({names}); choose via"
                )
                return each
            guess = self._not_outliving(rule, links[0], guess)
        self._actions[rule.name] = guess.action
        each.above.append(str(guess))
        for link in direct or links:
            via = link[0] if len(link) == 1 else link
            each.made.table.append(LeavingMark(guess.action, via))
        self._columns(_as_if(rule, each.made.table), each)
        return each

    def _goes_to_people(self, rule: TableRule, names: tuple[str, ...]) -> bool:
        return any(
            constraint.referred_table is self._people
            for constraint in rule.table.foreign_key_constraints
            if tuple(constraint.column_keys) == names
        )

    def _not_outliving(
        self, rule: TableRule, names: tuple[str, ...], guess: guesses.Guess
    ) -> guesses.Guess:
        for constraint in rule.table.foreign_key_constraints:
            parent = self._actions.get(constraint.referred_table.fullname)
            if tuple(constraint.column_keys) == names and isinstance(parent, (Delete, Revoke)):
                return guesses.Guess(Delete(), guesses.GUESS, "goes with the row it refers to")
        return guess

    def _unlinked(self, rule: TableRule) -> _Drafted:
        each = _Drafted()
        if rule.is_decided:
            return each
        softly = list(self._soft_references(rule))
        each.above += softly
        referred = sorted(
            constraint.referred_table.fullname
            for constraint in rule.table.foreign_key_constraints
            if constraint.referred_table is not rule.table
        )
        guess = guesses.is_list(rule.table)
        if guess is not None and not softly and not referred:
            each.above.append(str(guess))
            each.made.table.append(UnrelatedMark("a list of the application's"))
            return each
        why = "" if softly else " Nothing leads from it to a person: unrelated?"
        if referred:
            why = f" It refers to {', '.join(referred)}: decide that first."
        each.above.append(f"undecided: {rule.name}.{why}")
        return each

    def _soft_references(self, rule: TableRule) -> Iterator[str]:
        """Yield what is to be said of columns that refer to people without a foreign key."""
        people = self._people
        for column in rule.table.columns if people is not None else ():
            found = guesses.soft_reference(column, people) if people is not None else None
            if people is None or found is None or rule.columns[column.name]:
                continue
            place = f"{people.fullname}.{found[0]}"
            yield f"{found[1]}: {column.name} refers to {place} without a foreign key. As a link:"
            yield f'  via = {{link = "Match", column = "{column.name}", equals = "{place}"}}'

    def _columns(self, rule: TableRule, each: _Drafted) -> None:
        """Guess the columns of a table whose rows stay; list those that nobody can guess."""
        if not rule.keeps_rows:
            return
        if not rule.subjects:
            each.below += self._soft_references(rule)
        vias = [mark.via for mark in rule.leavings]
        linked = {name for via in vias for name in link_columns(via)}
        for column in rule.table.columns:
            if rule.columns[column.name] or column.name in linked or needs_no_mark(rule, column):
                continue
            guess = guesses.column(column, of_person=bool(rule.subjects))
            via = None
            if guess is not None and guess.action is not None and len(vias) > 1:
                via = next(
                    (v for word in AUTHORS for v in vias if isinstance(v, str) and word in v), None
                )
                guess = guess if via else None
            if guess is None:
                each.below.append(f"undecided: {column.name}, {column.type!r}")
                continue
            each.made.columns[column.name] = [ColumnMark(guess.action, via)]
            each.beside[column.name] = str(guess)


def _as_if(rule: TableRule, marks: Sequence[object]) -> TableRule:
    """Return *rule* as it will be with *marks*."""
    return TableRule(
        table=rule.table,
        subjects=tuple(mark for mark in marks if isinstance(mark, SubjectMark)),
        leavings=tuple(mark for mark in marks if isinstance(mark, LeavingMark)),
        unrelated=(),
        columns=rule.columns,
    )
