"""The policy of a Django project: rules from models, settings, a file and package presets."""
