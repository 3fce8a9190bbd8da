"""Share arguments, printed texts and exit statuses between ``efface`` and ``manage.py efface``."""
