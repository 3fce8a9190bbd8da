"""The forms, with the field names of the other garden."""

from typing import Any

from django import forms
from django.contrib.auth import authenticate
from django.core.validators import MinLengthValidator

from garden_django.models import User

TAKEN = "has already been taken"
SHORTEST = MinLengthValidator(12, "should be at least 12 characters long")


def password_field(label: str, autocomplete: str, *, is_new: bool = False) -> forms.CharField:
    """Return a field for a password, which is taken as it is typed."""
    widget = forms.PasswordInput(attrs={"autocomplete": autocomplete})
    return forms.CharField(
        label=label,
        strip=False,
        max_length=72,
        widget=widget,
        validators=[SHORTEST] if is_new else [],
    )


class Email(forms.Form):
    """An address, in upper or lower case."""

    email = forms.EmailField(label="E-mail", max_length=160)

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).lower()


class LogIn(Email):
    """An address and a password."""

    password = password_field("Password", "current-password")
    remember_me = forms.BooleanField(label="Keep me logged in for two weeks", required=False)

    def user(self) -> Any:
        """Return whoever has this address and this password, or None."""
        said = self.cleaned_data
        return authenticate(email=said["email"], username=said["email"], password=said["password"])


class NewPassword(forms.Form):
    """A new password, twice."""

    password = password_field("New password", "new-password", is_new=True)
    password_confirmation = password_field("New password again", "new-password")

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean()
        if said.get("password") != said.get("password_confirmation", said.get("password")):
            self.add_error("password_confirmation", "does not match password")
        return said


class Register(NewPassword, Email):
    """What a new member says."""

    name = forms.CharField(label="Name", max_length=160, required=False)
    field_order = ("name", "email", "password", "password_confirmation")

    def clean_email(self) -> str:
        email = super().clean_email()
        if User.objects.filter(email=email).exists():
            raise forms.ValidationError(TAKEN)
        return email


class _WithCurrentPassword(forms.Form):
    current_password = password_field("Current password", "current-password")

    def __init__(self, user: User, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._user = user

    def clean_current_password(self) -> str:
        said = str(self.cleaned_data["current_password"])
        if not self._user.check_password(said):
            raise forms.ValidationError("is not valid")
        return said


class ChangeEmail(_WithCurrentPassword, Email):
    """Another address."""

    def clean_email(self) -> str:
        email = super().clean_email()
        if email == self._user.email:
            raise forms.ValidationError("did not change")
        if User.objects.filter(email=email).exists():
            raise forms.ValidationError(TAKEN)
        return email


class ChangePassword(_WithCurrentPassword, NewPassword):
    """Another password."""


class WritePost(forms.Form):
    """A post for the notice board."""

    title = forms.CharField(max_length=120)
    body = forms.CharField(max_length=2000)
