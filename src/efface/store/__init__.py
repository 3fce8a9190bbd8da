"""The table that Efface owns, its statements, and the fingerprints in it."""
