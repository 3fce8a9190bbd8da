"""Write a first policy from names and types, for you to confirm and to complete."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy import MetaData, Table

from efface.catalog.metadata import VIEW
from efface.errors import SettingsError
from efface.policy.actions import Delete, Redact, Revoke, RowAction, Unlink
from efface.policy.check.missing_rules import needs_no_rule
from efface.policy.check.suggested_actions import writer
from efface.policy.check.suggested_rules import Choice, table_choices
from efface.policy.column_types import by_name, column_names
from efface.policy.declarations import CloseRule, ColumnRule, NoPersonalDataRule, SubjectRule
from efface.policy.did_you_mean import did_you_mean
from efface.policy.draft_guesses import (
    LIKELY,
    SURE,
    Guess,
    guess_column,
    guess_identifiers,
    guess_lookup_table,
    guess_row_action,
    guess_soft_reference,
    guess_subject_table,
    is_record,
)
from efface.policy.model_references import is_target
from efface.policy.policy import Policy, TableRules
from efface.policy.relationships import Via, referring_columns
from efface.policy.toml.reader import DeclaredRules
from efface.policy.toml.writer import Comments, policy_to_toml

HEAD = (
    "A first policy, guessed from names and types. Read each line before you use it.",
    "Each guess says how sure it is: sure, likely, a guess. Columns and tables without a rule",
    "are listed as comments, and `efface check` fails until you give them one.",
)
OUTLASTS = "likely: its model lets the row outlast its user"


@dataclass
class _TableDraft:
    """The rules for one table and the comments around them."""

    rules: DeclaredRules = field(default_factory=DeclaredRules)
    above: list[str] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)
    below: list[str] = field(default_factory=list)


def draft(metadata: MetaData, people: str | None = None) -> str:
    """Return a first policy for *metadata* as TOML.

    It leaves out what has a rule already, so you can load the file on top of annotated models.

    Args:
        metadata: Models, or a reflected schema.
        people: The full name of the users' table. Without it, the draft guesses.

    Raises:
        MissingExtraError: tomlkit is not installed.
        SettingsError: *people* is no table whose rows can be users.
    """
    builder = _DraftBuilder(metadata, people)
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

    def __init__(self, metadata: MetaData, people: str | None) -> None:
        self._rules = dict(Policy.from_metadata(metadata).tables)
        self._people = None if people is None else _named_table(metadata, people)
        self.notes: list[str] = []
        self._actions: dict[str, RowAction] = {}
        self._subject_table: Table | None = None

    def tables(self) -> dict[str, _TableDraft]:
        """Return the draft for each table."""
        drafts: dict[str, _TableDraft] = {}
        self._subject(drafts)
        for name, table_rules in self._rules.items():
            if table_rules.table.info.get(VIEW) and not table_rules.has_rules:
                drafts[name] = _TableDraft(above=["sure: a view, whose rows are those of others"])
                drafts[name].rules.table.append(NoPersonalDataRule("a view"))
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
        table, guess, rivals = self._find_subject_table()
        if rivals:
            names = ", ".join(sorted(each.fullname for each in rivals))
            self.notes.append(f"These may be the users' table as well: {names}. To choose one:")
            self.notes.append("efface draft --people TABLE")
        if table is None:
            if not rivals:
                text = "No table looks like the users' table. Name it: efface draft --people TABLE"
                self.notes.append(text)
            return
        self._subject_table = table
        drafts[table.fullname] = drafted = _TableDraft()
        drafted.above.append(f"the users' table · {guess}")
        rule = SubjectRule(identifiers=guess_identifiers(table))
        drafted.rules.table.append(rule)
        if rule.deleted_at not in by_name(table):
            drafted.below.append(
                f"missing: the column {rule.deleted_at}. In a migration, after `import "
                f'efface.alembic`: op.add_deleted_at("{table.name}")'
            )
        self._rules[table.fullname] = _with_rules(self._rules[table.fullname], [rule])
        self._columns(self._rules[table.fullname], drafted)

    def _find_subject_table(self) -> tuple[Table | None, Guess, list[Table]]:
        if self._people is not None:
            return self._people, Guess(Redact(), SURE, "you named it"), []
        tables = (table_rules.table for table_rules in self._rules.values())
        return guess_subject_table(each for each in tables if not each.info.get(VIEW))

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
        choice = table_choices(self._rules, table_rules.table)[0]
        if not direct and choice.action is None:
            drafted.above.append(
                f"no rule: {table_rules.name}, related by {names}. Whose are these rows? If "
                "they are the user's: on_close with via"
            )
            return drafted
        if isinstance(guess.action, Revoke) and (
            len(direct) != 1 or is_target(self._rules, table_rules.table)
        ):
            drafted.above.append(
                f"no rule: {table_rules.name}, related by {names}. Are these rows credentials?"
            )
            return drafted
        guess = _gentle(guess, choice)
        self._actions[table_rules.name] = guess.action
        drafted.above.append(str(guess))
        vias: list[Via] = [link[0] if len(link) == 1 else link for link in direct]
        vias = vias or list(choice.vias)
        drafted.rules.table += [CloseRule(guess.action, via) for via in vias]
        if isinstance(guess.action, Redact):
            for column, via in choice.unlinked:
                rule = ColumnRule(Unlink(), via if len(vias) > 1 else None)
                drafted.rules.columns[column] = [rule]
                drafted.columns[column] = OUTLASTS
        self._rules[table_rules.name] = _with_rules(table_rules, drafted.rules.table)
        self._columns(self._rules[table_rules.name], drafted)
        return drafted

    def _references_subject(self, table_rules: TableRules, names: tuple[str, ...]) -> bool:
        return any(
            constraint.referred_table is self._subject_table
            for constraint in table_rules.table.foreign_key_constraints
            if column_names(constraint) == names
        )

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
                via = writer(table_rules)
            if guess is None:
                drafted.below.append(f"no rule: {column.name}, {column.type!r}")
                continue
            drafted.rules.columns[column.name] = [ColumnRule(guess.action, via)]
            drafted.columns[column.name] = str(guess)


def _named_table(metadata: MetaData, name: str) -> Table:
    """Return the table that ``--people`` names."""
    table = metadata.tables.get(name)
    if table is None:
        hint = did_you_mean(name, metadata.tables, listed=12)
        raise SettingsError(f"--people {name} names no table of this schema.{hint}")
    if table.info.get(VIEW) or not table.primary_key.columns:
        raise SettingsError(
            f"--people {name} names a table without a primary key, or a view. Efface finds users "
            "by their primary key, so name the table that has it."
        )
    return table


def _gentle(guess: Guess, choice: Choice) -> Guess:
    """Return *guess*, but keep rows that the model does not delete with their user."""
    if not isinstance(guess.action, Delete) or isinstance(choice.action, Delete):
        return guess
    return Guess(Redact(), LIKELY, f"{guess.reason}; the model does not delete it with its user")


def _with_rules(table_rules: TableRules, rules: Sequence[object]) -> TableRules:
    """Return *table_rules* with *rules* in place of its own."""
    return TableRules(
        table=table_rules.table,
        subjects=tuple(rule for rule in rules if isinstance(rule, SubjectRule)),
        close_rules=tuple(rule for rule in rules if isinstance(rule, CloseRule)),
        no_personal_data=(),
        columns=table_rules.columns,
    )
