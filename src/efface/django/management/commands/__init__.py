"""Contain the command ``efface``."""
