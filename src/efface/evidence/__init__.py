"""STAGE 5 · what we can show afterwards: receipts, and a search of the whole database."""
