"""A community garden: the sample site that shows what Efface does for its members."""
