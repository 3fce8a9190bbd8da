"""STAGE 4 · the order in which a closure runs, inside the caller's transaction."""
