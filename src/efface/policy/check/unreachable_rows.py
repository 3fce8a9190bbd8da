"""Relations of the database where a rule would write other rows than those of the user.

Views and foreign tables have no rows of their own, row level security hides rows, and a search path
can mix the tables of two tenants.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Literal

from efface.catalog.relation import Kind, Relation
from efface.errors import Problem
from efface.policy.live_tables import LiveTables

WHERE = {
    Kind.VIEW: ("a view", "other tables"),
    Kind.MATERIALIZED_VIEW: ("a materialized view", "other tables"),
    Kind.FOREIGN_TABLE: ("a foreign table", "another database"),
}


def unreachable_rows(tables: LiveTables, own: Collection[str] = ()) -> Iterator[Problem]:
    """Yield a problem for each relation whose rules can't be carried out where they say.

    A relation without rows of users is a warning: the search of the database can't read all of it.

    Args:
        tables: The policy, and what the database has.
        own: The tables that Efface owns.
    """
    users = tables.live.find_table(tables.policy.subject_table)
    written = {relation.name: relation for relation, _ in tables.with_rules()}
    written |= {found.name: found for name in own if (found := tables.live.find(name))}
    for relation in written.values():
        if relation.kind in WHERE:
            yield _made_of_others(relation)
        elif relation.row_security_active and not relation.is_partition:
            yield _hidden(relation, "error", "so a closure would leave some of the user's rows")
        elif users is not None and tables.live.is_ambiguous(users, relation):
            yield _mixed(users, relation)
    for rules in tables.policy.tables.values():
        found = tables.live.find_table(rules.table)
        if found is not None and found.name not in written and found.row_security_active:
            yield _hidden(found, "warning", "so the search after a closure can't read them")


def _made_of_others(relation: Relation) -> Problem:
    kind, there = WHERE[relation.kind]
    text = (
        f"In the database this is {kind}: its rows are in {there}, and a rule must not change them "
        f"from here. Give the rules to the tables in {there}, and this one to {relation}:"
    )
    return Problem("E103", str(relation), None, text, f'no_personal_data(reason="{kind}")')


def _hidden(relation: Relation, level: Literal["error", "warning"], effect: str) -> Problem:
    text = (
        f"Row level security hides rows of {relation} from this database role, {effect}. Close "
        "accounts with a role to which the policies don't apply: one that has BYPASSRLS, or owns "
        "the table without FORCE ROW LEVEL SECURITY."
    )
    return Problem("E103" if level == "error" else "W108", str(relation), None, text, level=level)


def _mixed(users: Relation, relation: Relation) -> Problem:
    text = (
        f"Without a schema, {users.name.name} is found in {users.namespace} and "
        f"{relation.name.name} in {relation.namespace}, and another schema has a table of the same "
        "name. So rows of one user can be in several schemas, or have the key of another user. "
        "Select the schema of the user alone: SET LOCAL search_path TO ..."
    )
    return Problem("E108", str(relation), None, text)
