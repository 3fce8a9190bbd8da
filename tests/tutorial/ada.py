"""Ada, and what she presses on the page."""

from tests.support.gardens import PASSWORD

ADA = "ada@garden.example"
CLOSE = "/users/settings/close"
OPEN, SUBMIT, CANCEL = "[data-efface=open]", "[data-efface=submit]", "[data-efface=cancel]"


def confirm(page, password=PASSWORD):
    """Press the button, type the password, and say yes."""
    page.click(OPEN)
    page.fill("dialog [name=current_password]", password)
    page.check("[name=confirm]")
    page.click(SUBMIT)
