"""The garden once more, on Django: the same routes, fields and rules."""
