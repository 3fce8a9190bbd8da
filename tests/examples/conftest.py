"""The garden, for every test of it."""

from tests.gardening import blank_database, garden, loop, open_garden

__all__ = ["blank_database", "garden", "loop", "open_garden"]
