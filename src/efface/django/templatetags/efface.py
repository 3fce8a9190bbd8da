"""``{% load efface %}``: show the delete-account dialog, and Efface's texts in any language."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from efface.django.page import active_language, views
from efface.errors import SettingsError

register = template.Library()


@register.simple_tag
def efface_text(text: str) -> SafeString:
    """Return one of Efface's texts in the active language, escaped for text and for attributes."""
    found = escape(active_language.language().say(text))
    # Efface's attributes have double quotes, so an apostrophe may stay readable.
    return mark_safe(found.replace("&#x27;", "'"))  # noqa: S308  (escaped above)


@register.simple_tag(takes_context=True)
def delete_account(context: Any) -> SafeString:
    """Return the section with the button and dialog that delete the account, for a settings page.

    Raises:
        SettingsError: the template was rendered without a request.

    Example:
        {% load efface %}
        {% delete_account %}
    """
    # A RequestContext has the request even if TEMPLATES has no context processor for it.
    request = getattr(context, "request", None) or context.get("request")
    if request is None:
        raise SettingsError(
            "{% delete_account %} needs the request, and this template is rendered without one. "
            'Render it with render(request, "settings.html").'
        )
    return mark_safe(views.section(request))  # noqa: S308  (our own template, escaped)
