"""STAGE 3 · the plan: steps as values, and the SQL statements that carry them out."""
