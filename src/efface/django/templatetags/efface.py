"""``{% load efface %}``: the closing section, and our sentences in the active language."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.safestring import SafeString, mark_safe

from efface.django.page import active_language, views
from efface.errors import SettingsError

register = template.Library()


@register.simple_tag
def efface_text(text: str) -> str:
    """Return one of our sentences in the active language."""
    return active_language.language().say(text)


@register.simple_tag(takes_context=True)
def delete_account(context: Any) -> SafeString:
    """Return the section for a settings page.

    Raises:
        SettingsError: the template is shown without a request.
    """
    # Django keeps it beside the variables also where TEMPLATES names no processor for it.
    request = getattr(context, "request", None) or context.get("request")
    if request is None:
        raise SettingsError(
            "{% delete_account %} is about whoever sends the request, and its template has none. "
            'Show the template with render(request, "settings.html").'
        )
    return mark_safe(views.section(request))  # noqa: S308  (our own template, escaped)
