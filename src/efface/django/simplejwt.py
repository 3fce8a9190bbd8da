"""Refuse refresh tokens of simplejwt if the account is closed.

SIMPLE_JWT = {
    "TOKEN_REFRESH_SERIALIZER": "efface.django.simplejwt.TokenRefreshSerializer",
    "SLIDING_TOKEN_REFRESH_SERIALIZER": "efface.django.simplejwt.TokenRefreshSlidingSerializer",
}
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model

try:
    from rest_framework.exceptions import AuthenticationFailed
    from rest_framework_simplejwt import serializers
    from rest_framework_simplejwt.settings import api_settings
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        f"efface.django.simplejwt needs {missing.name}. "
        "Install it: pip install djangorestframework-simplejwt",
        name=missing.name,
    ) from None


class TokenRefreshSerializer(serializers.TokenRefreshSerializer):
    """Answer 401 if the account is closed or its row is deleted.

    The serializer of simplejwt raises an error that its view does not expect, so it answers 500.
    """

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return new tokens.

        Raises:
            AuthenticationFailed: the token's account is not open.
        """
        try:
            found: dict[str, Any] = super().validate(attrs)
        except get_user_model().DoesNotExist:
            text = self.error_messages["no_active_account"]
            raise AuthenticationFailed(text, "no_active_account") from None
        return found


class TokenRefreshSlidingSerializer(serializers.TokenRefreshSlidingSerializer):
    """Answer 401 if the account is closed or inactive, or its row is deleted.

    The serializer of simplejwt does not read the account, so it renews tokens of a closed account.
    """

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return a new token.

        Raises:
            AuthenticationFailed: the token's account is not open.
        """
        found: dict[str, Any] = super().validate(attrs)
        key = self.token_class(attrs["token"]).payload.get(api_settings.USER_ID_CLAIM)
        people = get_user_model().objects
        user = people.filter(**{api_settings.USER_ID_FIELD: key}).first()
        if user is None or not api_settings.USER_AUTHENTICATION_RULE(user):
            text = serializers.TokenRefreshSerializer.default_error_messages["no_active_account"]
            raise AuthenticationFailed(text, "no_active_account")
        return found
