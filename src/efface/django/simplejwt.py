"""Refresh tokens of simplejwt: of somebody who has left, one is refused like a wrong one.

SIMPLE_JWT = {
    "TOKEN_REFRESH_SERIALIZER": "efface.django.simplejwt.TokenRefreshSerializer",
    "SLIDING_TOKEN_REFRESH_SERIALIZER": "efface.django.simplejwt.TokenRefreshSlidingSerializer",
}
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt import serializers
from rest_framework_simplejwt.settings import api_settings


class TokenRefreshSerializer(serializers.TokenRefreshSerializer):
    """Answers 401 for an account that is closed, or whose row is gone.

    simplejwt's own raises what its view does not expect: an answer of 500.
    """

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return new tokens.

        Raises:
            AuthenticationFailed: there is no such open account.
        """
        try:
            found: dict[str, Any] = super().validate(attrs)
        except get_user_model().DoesNotExist:
            text = self.error_messages["no_active_account"]
            raise AuthenticationFailed(text, "no_active_account") from None
        return found


class TokenRefreshSlidingSerializer(serializers.TokenRefreshSlidingSerializer):
    """Answers 401 for an account that is closed, inactive, or whose row is gone.

    simplejwt's own asks for no account: it gives out tokens that open nothing, again and again.
    """

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return a new token.

        Raises:
            AuthenticationFailed: there is no such open account.
        """
        found: dict[str, Any] = super().validate(attrs)
        key = self.token_class(attrs["token"]).payload.get(api_settings.USER_ID_CLAIM)
        people = get_user_model().objects
        user = people.filter(**{api_settings.USER_ID_FIELD: key}).first()
        if user is None or not api_settings.USER_AUTHENTICATION_RULE(user):
            text = serializers.TokenRefreshSerializer.default_error_messages["no_active_account"]
            raise AuthenticationFailed(text, "no_active_account")
        return found
