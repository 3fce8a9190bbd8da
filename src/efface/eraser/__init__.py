"""The conductor: it runs the stages inside the caller's transaction and returns receipts."""
