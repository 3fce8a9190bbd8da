"""``{% load efface %}``: the closing section, and our sentences in the active language."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.safestring import SafeString, mark_safe

from efface.django import language, views

register = template.Library()


@register.simple_tag
def say(text: str) -> str:
    """Return one of our sentences in the active language."""
    return language.language().say(text)


@register.simple_tag(takes_context=True)
def closing_section(context: Any) -> SafeString:
    """Return the section for a settings page; the template needs the ``request``."""
    return mark_safe(views.section(context["request"]))  # noqa: S308  (our own template, escaped)
