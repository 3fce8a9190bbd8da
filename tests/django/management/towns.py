"""How a command has ended, and a town in which Ada lives."""

from dataclasses import dataclass


@dataclass
class Ended:
    """How a command has ended, and everything that it said."""

    status: int
    out: str
    error: str


def with_ada(town):
    town.execute(
        "INSERT INTO town_person (id, password, is_superuser, is_staff, is_active, username, "
        "first_name, last_name, email, date_joined) VALUES (1, 'x', 0, 0, 1, 'ada', 'Ada', "
        "'Lovelace', 'ada@example.org', '2026-01-01 00:00:00')"
    )
    return town
