"""Write a first policy from names and types, for you to confirm and to complete."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy import MetaData, Table

from efface.policy.actions import Delete, Revoke, RowAction
from efface.policy.check.missing_rules import needs_no_rule
from efface.policy.column_types import by_name, column_names
from efface.policy.declarations import CloseRule, ColumnRule, NoPersonalDataRule, SubjectRule
from efface.policy.draft_guesses import (
    UNSURE,
    Guess,
    guess_column,
    guess_identifiers,
    guess_lookup_table,
    guess_row_action,
    guess_soft_reference,
    guess_subject_table,
    is_record,
)
from efface.policy.policy import Policy, TableRules
from efface.policy.relationships import referring_columns
from efface.policy.toml.reader import DeclaredRules
from efface.policy.toml.writer import Comments, policy_to_toml

HEAD = (
    "A first policy, guessed from names and types. Read each line before you use it.",
    "Each guess says how sure it is: sure, likely, a guess. Columns and tables without a rule",
    "are listed as comments, and `efface check` fails until you give them one.",
)
AUTHORS = ("author", "sender", "writer", "creator", "user", "owner")
"""Names of columns that say who wrote a row, if several columns of it reference users."""


@dataclass
class _TableDraft:
    """The rules for one table and the comments around them."""

    rules: DeclaredRules = field(default_factory=DeclaredRules)
    above: list[str] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)
    below: list[str] = field(default_factory=list)


def draft(metadata: MetaData) -> str:
    """Return a first policy for *metadata* as TOML.

    It leaves out what has a rule already, so you can load the file on top of annotated models.

    Args:
        metadata: Models, or a reflected schema.

    Raises:
        MissingExtraError: tomlkit is not installed.
    """
    builder = _DraftBuilder(metadata)
    drafts = builder.tables()
    return policy_to_toml(
        {
            name: drafted.rules
            for name, drafted in drafts.items()
            if drafted.rules.table or drafted.rules.columns
        },
        {
            name: Comments(drafted.above, drafted.columns, drafted.below)
            for name, drafted in drafts.items()
            if drafted.above or drafted.below or drafted.columns
        },
        [*HEAD, *builder.notes],
    )


class _DraftBuilder:
    """The draft for one schema: the users' table first, then along the foreign keys to it."""

    def __init__(self, metadata: MetaData) -> None:
        self._rules = Policy.from_metadata(metadata).tables
        self.notes: list[str] = []
        self._actions: dict[str, RowAction] = {}
        self._subject_table: Table | None = None

    def tables(self) -> dict[str, _TableDraft]:
        """Return the draft for each table."""
        drafts: dict[str, _TableDraft] = {}
        self._subject(drafts)
        remaining = {
            name: table_rules for name, table_rules in self._rules.items() if name not in drafts
        }
        for name, table_rules in remaining.items():
            for rule in table_rules.close_rules:
                self._actions[name] = rule.action
        # A guess depends on the table in between, whose rows must not go before these.
        while ready := [
            table_rules for table_rules in remaining.values() if self._paths_to_subject(table_rules)
        ]:
            for table_rules in ready:
                drafts[table_rules.name] = self._linked(table_rules)
                del remaining[table_rules.name]
        for name, table_rules in remaining.items():
            drafts[name] = self._unlinked(table_rules)
        return drafts

    def _subject(self, drafts: dict[str, _TableDraft]) -> None:
        for table_rules in self._rules.values():
            if table_rules.subjects:
                self._subject_table = table_rules.table
                drafts[table_rules.name] = drafted = _TableDraft()
                self._columns(table_rules, drafted)
                return
        found = guess_subject_table(table_rules.table for table_rules in self._rules.values())
        if found is None:
            self.notes.append("No table looks like the users' table: give it data_subject first.")
            return
        self._subject_table, guess = found
        table = self._subject_table
        drafts[table.fullname] = drafted = _TableDraft()
        drafted.above.append(f"the users' table · {guess}")
        rule = SubjectRule(identifiers=guess_identifiers(table))
        drafted.rules.table.append(rule)
        if rule.deleted_at not in by_name(table):
            drafted.below.append(
                f"missing: the column {rule.deleted_at}. In a migration, after `import "
                f'efface.alembic`: op.add_deleted_at("{table.name}")'
            )
        self._columns(_with_rules(self._rules[table.fullname], [rule]), drafted)

    def _paths_to_subject(self, table_rules: TableRules) -> list[tuple[str, ...]]:
        """Return the foreign keys of a table that lead to the users' table."""
        return sorted(
            column_names(constraint)
            for constraint in table_rules.table.foreign_key_constraints
            if constraint.referred_table is not table_rules.table
            and (
                constraint.referred_table is self._subject_table
                or constraint.referred_table.fullname in self._actions
            )
        )

    def _linked(self, table_rules: TableRules) -> _TableDraft:
        drafted = _TableDraft()
        if table_rules.has_rules:
            self._columns(table_rules, drafted)
            return drafted
        links = self._paths_to_subject(table_rules)
        direct = [names for names in links if self._references_subject(table_rules, names)]
        names = ", ".join(" and ".join(link) for link in direct or links)
        guess = guess_row_action(table_rules.table)
        if is_record(table_rules.table):
            drafted.above.append(
                f"no rule: {table_rules.name}, related by {names}. If a law requires you to keep "
                "it: Retain with period, basis and reason"
            )
            return drafted
        if guess is None:
            drafted.above.append(
                f"no rule: {table_rules.name}, related by {names}. Delete, Redact or Retain?"
            )
            return drafted
        if not direct:
            if len(links) > 1:
                drafted.above.append(
                    f"no rule: {table_rules.name}, related through several tables ({names}). "
                    "Choose via"
                )
                return drafted
            guess = self._follow_parent(table_rules, links[0], guess)
        self._actions[table_rules.name] = guess.action
        drafted.above.append(str(guess))
        for link in direct or links:
            via = link[0] if len(link) == 1 else link
            drafted.rules.table.append(CloseRule(guess.action, via))
        self._columns(_with_rules(table_rules, drafted.rules.table), drafted)
        return drafted

    def _references_subject(self, table_rules: TableRules, names: tuple[str, ...]) -> bool:
        return any(
            constraint.referred_table is self._subject_table
            for constraint in table_rules.table.foreign_key_constraints
            if column_names(constraint) == names
        )

    def _follow_parent(
        self, table_rules: TableRules, names: tuple[str, ...], guess: Guess
    ) -> Guess:
        for constraint in table_rules.table.foreign_key_constraints:
            parent = self._actions.get(constraint.referred_table.fullname)
            if column_names(constraint) == names and isinstance(parent, (Delete, Revoke)):
                return Guess(Delete(), UNSURE, "deleted with the row that it refers to")
        return guess

    def _unlinked(self, table_rules: TableRules) -> _TableDraft:
        drafted = _TableDraft()
        if table_rules.has_rules:
            return drafted
        soft_references = list(self._soft_references(table_rules))
        drafted.above += soft_references
        referred = sorted(
            constraint.referred_table.fullname
            for constraint in table_rules.table.foreign_key_constraints
            if constraint.referred_table is not table_rules.table
        )
        guess = guess_lookup_table(table_rules.table)
        if guess is not None and not soft_references and not referred:
            drafted.above.append(str(guess))
            drafted.rules.table.append(NoPersonalDataRule("reference data of the application"))
            return drafted
        why = "" if soft_references else " It has no relationship to the users: no_personal_data?"
        if referred:
            why = f" It refers to {', '.join(referred)}: add rules there first."
        drafted.above.append(f"no rule: {table_rules.name}.{why}")
        return drafted

    def _soft_references(self, table_rules: TableRules) -> Iterator[str]:
        """Yield comments about columns that seem to reference a user without a foreign key."""
        subject_table = self._subject_table
        if subject_table is None:
            return
        for column in table_rules.table.columns:
            found = guess_soft_reference(column, subject_table)
            if found is None or table_rules.columns[column.name]:
                continue
            place = f"{subject_table.fullname}.{found[0]}"
            yield (
                f"{found[1]}: {column.name} refers to {place} without a foreign key. As a "
                "relationship:"
            )
            yield f'  via = {{link = "MatchBy", column = "{column.name}", equals = "{place}"}}'

    def _columns(self, table_rules: TableRules, drafted: _TableDraft) -> None:
        """Guess the columns of a table whose rows remain, and list those without a guess."""
        if not table_rules.keeps_rows:
            return
        if not table_rules.subjects:
            drafted.below += self._soft_references(table_rules)
        vias = [rule.via for rule in table_rules.close_rules]
        linked = {name for via in vias for name in referring_columns(via)}
        for column in table_rules.table.columns:
            if (
                table_rules.columns[column.name]
                or column.name in linked
                or needs_no_rule(table_rules, column)
            ):
                continue
            guess = guess_column(column, of_person=bool(table_rules.subjects))
            via = None
            if guess is not None and guess.action is not None and len(vias) > 1:
                via = next(
                    (v for word in AUTHORS for v in vias if isinstance(v, str) and word in v), None
                )
                # The action is clear but not whose value it is, so the column stays without a rule.
                guess = guess if via else None
            if guess is None:
                drafted.below.append(f"no rule: {column.name}, {column.type!r}")
                continue
            drafted.rules.columns[column.name] = [ColumnRule(guess.action, via)]
            drafted.columns[column.name] = str(guess)


def _with_rules(table_rules: TableRules, rules: Sequence[object]) -> TableRules:
    """Return *table_rules* with *rules* in place of its own."""
    return TableRules(
        table=table_rules.table,
        subjects=tuple(rule for rule in rules if isinstance(rule, SubjectRule)),
        close_rules=tuple(rule for rule in rules if isinstance(rule, CloseRule)),
        no_personal_data=(),
        columns=table_rules.columns,
    )
