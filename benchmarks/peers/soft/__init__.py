"""A Django application that sees the people through django-safedelete."""
