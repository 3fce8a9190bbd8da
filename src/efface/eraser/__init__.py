"""The conductor: runs the stages inside the caller's transaction and returns receipts."""
