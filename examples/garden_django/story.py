"""Ada closes her account by the form: the story as long as no live socket tells it."""

from textwrap import indent

from httpx import codes

from garden import story
from garden.community import ADA_EMAIL, PASSWORD
from garden.devices import Device


class Story(story.Story):
    """Her laptop sends the form, her phone notices at its next page."""

    def arrives(self, laptop: Device, phone: Device) -> None:
        """Ada signs in twice and opens her settings."""
        answer = laptop.log_in(ADA_EMAIL, PASSWORD)
        self.step(answer.is_redirect, "signs in on the laptop", answer)
        answer = phone.log_in(ADA_EMAIL, PASSWORD, remember_me="true")
        kept = any("remember_me" in name for name in phone.http.cookies)
        self.step(kept, "signs in on the phone, and stays signed in there", answer)
        answer = laptop.open("/users/settings")
        asked = "Do you want to close your account?" in answer.text
        self.step(asked, "opens her settings: “Do you want to close your account?”", answer)

    def leaves(self, laptop: Device, _phone: Device) -> None:
        """Ada confirms; first the plan."""
        self.say(f"\n{indent(self.backstage.plan().explain(), ' ' * 6)}\n")
        answer = laptop.send("/users/settings/close", current_password=PASSWORD, confirm="yes")
        is_led = answer.status_code == codes.SEE_OTHER and answer.headers["location"] == "/"
        self.step(is_led, "confirms with her password, and is led to the start page", answer)
        answer = laptop.open("/")
        farewell = "Your account is closed" in answer.text and "Log in" in answer.text
        self.step(farewell, "reads there that her account is closed", answer)

    def is_told(self) -> None:
        """No mail is sent yet."""

    def cannot_come_back(self) -> None:
        """The old password is refused."""
        answer = Device(self.address).log_in(ADA_EMAIL, PASSWORD)
        refused = answer.status_code == codes.UNPROCESSABLE_ENTITY
        self.step(refused, "the old password is refused", answer)
