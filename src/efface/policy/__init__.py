"""STAGE 1 · the rules: what happens to each table and column when an account is closed."""
