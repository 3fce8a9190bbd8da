"""STAGE 3 · what would happen: steps as values, and the statements that carry them out."""
