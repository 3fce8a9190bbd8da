"""What ``efface`` and ``manage.py efface`` share: arguments, printed texts, exit statuses."""
