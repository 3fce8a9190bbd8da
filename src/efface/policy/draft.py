"""A first policy from names and types: guesses with how sure they are; the rest is undecided."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy import MetaData, Table

from efface.policy import draft_guesses as guesses
from efface.policy.actions import Delete, Revoke, RowAction
from efface.policy.check.missing_rules import needs_no_mark
from efface.policy.column_types import by_name, column_names
from efface.policy.declarations import CloseRule, ColumnRule, NoPersonalDataRule, SubjectRule
from efface.policy.policy import Policy, TableRules
from efface.policy.relationships import link_columns
from efface.policy.toml.reader import Decisions
from efface.policy.toml.writer import Remarks, document

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
        waiting = {
            name: table_rules for name, table_rules in self._rules.items() if name not in drafted
        }
        for name, table_rules in waiting.items():
            for rule in table_rules.close_rules:
                self._actions[name] = rule.action
        # A table found through another one is guessed after it: its rows may not outlive those.
        while ready := [
            table_rules for table_rules in waiting.values() if self._links(table_rules)
        ]:
            for table_rules in ready:
                drafted[table_rules.name] = self._linked(table_rules)
                del waiting[table_rules.name]
        for name, table_rules in waiting.items():
            drafted[name] = self._unlinked(table_rules)
        return drafted

    def _subject(self, drafted: dict[str, _Drafted]) -> None:
        for table_rules in self._rules.values():
            if table_rules.subjects:
                self._people = table_rules.table
                drafted[table_rules.name] = each = _Drafted()
                self._columns(table_rules, each)
                return
        found = guesses.subject(table_rules.table for table_rules in self._rules.values())
        if found is None:
            self.notes.append("No table looks like the one whose rows are people: mark it first.")
            return
        self._people, guess = found
        table = self._people
        drafted[table.fullname] = each = _Drafted()
        each.above.append(f"whose rows are people · {guess}")
        rule = SubjectRule(identifiers=guesses.identifiers(table))
        each.made.table.append(rule)
        if rule.deleted_at not in by_name(table):
            each.below.append(
                f"missing: the column {rule.deleted_at}. In a migration, after `import "
                f'efface.alembic`: op.add_deleted_at("{table.name}")'
            )
        self._columns(_as_if(self._rules[table.fullname], [rule]), each)

    def _links(self, table_rules: TableRules) -> list[tuple[str, ...]]:
        """Return the references of a table that lead, or are guessed to lead, to the people."""
        return sorted(
            column_names(constraint)
            for constraint in table_rules.table.foreign_key_constraints
            if constraint.referred_table is not table_rules.table
            and (
                constraint.referred_table is self._people
                or constraint.referred_table.fullname in self._actions
            )
        )

    def _linked(self, table_rules: TableRules) -> _Drafted:
        each = _Drafted()
        if table_rules.is_decided:
            self._columns(table_rules, each)
            return each
        links = self._links(table_rules)
        direct = [names for names in links if self._goes_to_people(table_rules, names)]
        names = ", ".join(" and ".join(link) for link in direct or links)
        guess = guesses.rows(table_rules.table)
        if guesses.is_record(table_rules.table):
            each.above.append(
                f"undecided: {table_rules.name}, linked by {names}. A law may want it kept: "
                "Retain with period, basis and reason"
            )
            return each
        if guess is None:
            each.above.append(
                f"undecided: {table_rules.name}, linked by {names}. Delete, Redact, Retain?"
            )
            return each
        if not direct:
            if len(links) > 1:
                each.above.append(
                    f"undecided: {table_rules.name}, linked through several tables ({names}); "
                    "choose via"
                )
                return each
            guess = self._not_outliving(table_rules, links[0], guess)
        self._actions[table_rules.name] = guess.action
        each.above.append(str(guess))
        for link in direct or links:
            via = link[0] if len(link) == 1 else link
            each.made.table.append(CloseRule(guess.action, via))
        self._columns(_as_if(table_rules, each.made.table), each)
        return each

    def _goes_to_people(self, table_rules: TableRules, names: tuple[str, ...]) -> bool:
        return any(
            constraint.referred_table is self._people
            for constraint in table_rules.table.foreign_key_constraints
            if column_names(constraint) == names
        )

    def _not_outliving(
        self, table_rules: TableRules, names: tuple[str, ...], guess: guesses.Guess
    ) -> guesses.Guess:
        for constraint in table_rules.table.foreign_key_constraints:
            parent = self._actions.get(constraint.referred_table.fullname)
            if column_names(constraint) == names and isinstance(parent, (Delete, Revoke)):
                return guesses.Guess(Delete(), guesses.GUESS, "goes with the row it refers to")
        return guess

    def _unlinked(self, table_rules: TableRules) -> _Drafted:
        each = _Drafted()
        if table_rules.is_decided:
            return each
        softly = list(self._soft_references(table_rules))
        each.above += softly
        referred = sorted(
            constraint.referred_table.fullname
            for constraint in table_rules.table.foreign_key_constraints
            if constraint.referred_table is not table_rules.table
        )
        guess = guesses.is_list(table_rules.table)
        if guess is not None and not softly and not referred:
            each.above.append(str(guess))
            each.made.table.append(NoPersonalDataRule("a list of the application's"))
            return each
        why = "" if softly else " Nothing leads from it to a person: unrelated?"
        if referred:
            why = f" It refers to {', '.join(referred)}: decide that first."
        each.above.append(f"undecided: {table_rules.name}.{why}")
        return each

    def _soft_references(self, table_rules: TableRules) -> Iterator[str]:
        """Yield what is to be said of columns that refer to people without a foreign key."""
        people = self._people
        for column in table_rules.table.columns if people is not None else ():
            found = guesses.soft_reference(column, people) if people is not None else None
            if people is None or found is None or table_rules.columns[column.name]:
                continue
            place = f"{people.fullname}.{found[0]}"
            yield f"{found[1]}: {column.name} refers to {place} without a foreign key. As a link:"
            yield f'  via = {{link = "MatchBy", column = "{column.name}", equals = "{place}"}}'

    def _columns(self, table_rules: TableRules, each: _Drafted) -> None:
        """Guess the columns of a table whose rows stay; list those that nobody can guess."""
        if not table_rules.keeps_rows:
            return
        if not table_rules.subjects:
            each.below += self._soft_references(table_rules)
        vias = [rule.via for rule in table_rules.close_rules]
        linked = {name for via in vias for name in link_columns(via)}
        for column in table_rules.table.columns:
            if (
                table_rules.columns[column.name]
                or column.name in linked
                or needs_no_mark(table_rules, column)
            ):
                continue
            guess = guesses.column(column, of_person=bool(table_rules.subjects))
            via = None
            if guess is not None and guess.action is not None and len(vias) > 1:
                via = next(
                    (v for word in AUTHORS for v in vias if isinstance(v, str) and word in v), None
                )
                guess = guess if via else None
            if guess is None:
                each.below.append(f"undecided: {column.name}, {column.type!r}")
                continue
            each.made.columns[column.name] = [ColumnRule(guess.action, via)]
            each.beside[column.name] = str(guess)


def _as_if(table_rules: TableRules, rules: Sequence[object]) -> TableRules:
    """Return *rule* as it will be with *marks*."""
    return TableRules(
        table=table_rules.table,
        subjects=tuple(rule for rule in rules if isinstance(rule, SubjectRule)),
        close_rules=tuple(rule for rule in rules if isinstance(rule, CloseRule)),
        no_personal_data=(),
        columns=table_rules.columns,
    )
