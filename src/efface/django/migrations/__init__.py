"""Contain the migrations of the table that Efface owns."""
