"""Contain the commands of `manage.py`."""
