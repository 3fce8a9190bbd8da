"""Checksums of all rows of everybody else, computed in the database, without help from Efface."""

from sqlalchemy import Connection, Engine, Table, text

from tests.support.schemas.lobsters.schema import lobsters

# Which rows are the leaver's, by hand: the policy under test must not mark its own homework.
# Votes stay as they are, so all of them count as somebody else's.
THEIRS = {
    "users": "id = :id",
    "stories": "user_id = :id",
    "story_texts": "id IN (SELECT id FROM stories WHERE user_id = :id)",
    "comments": "user_id = :id",
    "messages": "author_user_id = :id OR recipient_user_id = :id",
    "moderations": "moderator_user_id = :id OR user_id = :id",
    "mod_notes": "moderator_user_id = :id OR user_id = :id",
    "domains": "banned_by_user_id = :id",
    "hats": "user_id = :id",
    "hat_requests": "user_id = :id",
    "hidden_stories": "user_id = :id",
    "saved_stories": "user_id = :id",
    "read_ribbons": "user_id = :id",
    "tag_filters": "user_id = :id",
    "suggested_taggings": "user_id = :id",
    "suggested_titles": "user_id = :id",
    "invitations": "user_id = :id OR new_user_id = :id",
    "invitation_requests": "email = :email",
}
Sums = dict[str, tuple[int, int]]


class Checksum:
    """An aggregate for SQLite, which has none: a sum, so that the order of rows is no matter."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self.sum = 0

    def step(self, *row: object) -> None:
        """Add a row."""
        # Python's own hash differs between processes, and both sums are made in this one.
        self.sum += hash(row)

    def finalize(self) -> str:
        """Return the sum, which has outgrown SQLite's integers."""
        return str(self.sum)


def checksums(engine: Engine, person: dict[str, object]) -> Sums:
    """Return the number and the checksum of the rows of others, by table."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.connection.driver_connection.create_aggregate("checksum", -1, Checksum)
        return {
            table.name: _checksum(connection, table, person) for table in lobsters().sorted_tables
        }


def _checksum(connection: Connection, table: Table, person: dict[str, object]) -> tuple[int, int]:
    quote = connection.dialect.identifier_preparer.quote
    if connection.dialect.name == "sqlite":
        summed = f"checksum({', '.join(quote(column.name) for column in table.columns)})"
    else:
        summed = "sum(hashtextextended(CAST(row_ AS text), 0))"
    theirs = THEIRS.get(table.name, "false")
    used = {name: value for name, value in person.items() if f":{name}" in theirs}
    query = f"SELECT count(*), {summed} FROM {table.name} AS row_ WHERE ({theirs}) IS NOT TRUE"
    rows, found = connection.execute(text(query), used).one()
    return rows, int(found or 0)


def differences(before: Sums, after: Sums) -> dict[str, str]:
    """Return what has changed, by table."""
    changed = {}
    for table, (rows, found) in before.items():
        if after[table] != (rows, found):
            now = after[table][0]
            same = f"{rows:,} rows of others, and some have changed"
            changed[table] = same if now == rows else f"{rows:,} rows of others, now {now:,}"
    return changed
