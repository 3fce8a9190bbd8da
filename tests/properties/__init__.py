"""Promises that hold for any schema and any data."""
