"""STAGE 5 · the evidence: receipts, and a search of the whole database."""
