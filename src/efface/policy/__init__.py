"""STAGE 1 · what is to happen when a person leaves: actions, markers, rules, check."""
