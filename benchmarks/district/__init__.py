"""A Django application with people in seven tables."""
