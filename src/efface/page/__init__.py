"""Texts and rules of the page on which users delete their accounts, for every integration."""
