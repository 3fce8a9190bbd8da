"""The migrations of the table that Efface owns."""
