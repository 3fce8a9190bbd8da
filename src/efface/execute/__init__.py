"""STAGE 4 · the order in which a closing runs, inside the caller's transaction."""
