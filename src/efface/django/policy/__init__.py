"""Merge the policy of a Django project from models, settings, a file and package presets."""
