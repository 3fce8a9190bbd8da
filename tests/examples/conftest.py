"""The garden, for every test of it."""

from tests.gardening import blank_database, garden, loop

__all__ = ["blank_database", "garden", "loop"]
