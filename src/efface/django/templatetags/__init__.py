"""Contain the template tags of Efface."""
