"""STAGE 2 · every table that mentions the subject, and by which foreign-key paths."""
