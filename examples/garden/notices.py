"""What the site says at the top of a page, and where something went wrong."""

WELCOME = "Welcome to the garden!"
WELCOME_BACK = "Welcome back!"
SEE_YOU = "You are logged out. See you soon!"
GOODBYE = "Your account is closed, and you are signed out on every device. Goodbye!"

MUST_LOG_IN = "You must log in to access this page."
LOG_IN_ONCE_MORE = "Log in once more: it has been a while."
WRONG_LOG_IN = "The address or the password is not right."
LOG_IN_LINK_IS_COMING = (
    "If your address is in our system, you will receive a link to log in shortly."
)
BAD_LOG_IN_LINK = "The link to log in is not valid or it has expired."

FIRST_LINK_IS_COMING = "We have sent you a mail. Open the link in it to confirm and log in."
CONFIRMATION_IS_COMING = (
    "If your address is in our system and not confirmed yet, "
    "you will receive a mail with instructions shortly."
)
CONFIRMED = "Your address is confirmed."
CLEARED = (
    "Your address is confirmed. Before you log in, set a password of your own: "
    "“Forgot your password?” on the log-in page."
)
BAD_CONFIRMATION_LINK = "The confirmation link is not valid or it has expired."

RESET_IS_COMING = (
    "If your address is in our system, "
    "you will receive instructions to reset your password shortly."
)
PASSWORD_IS_RESET = "Your password is changed. You can log in now."
BAD_RESET_LINK = "The link to reset the password is not valid or it has expired."

LINK_IS_SENT = "We sent a link to {}. Open it to use this address from now on."
EMAIL_IS_CHANGED = "Your address is changed."
BAD_EMAIL_LINK = "The link to change the address is not valid or it has expired."
PASSWORD_IS_CHANGED = "Your password is changed."

POSTED = "Your post is on the board."
NOT_POSTED = "A post needs a short title and a few lines."
PICKED = "Plot {} is yours."
NOT_PICKED = "Somebody else has this plot already."
ONE_MORE_ORGANIZER = "The group has one more organizer."
NO_ORGANIZER = "Only an organizer can do this, for a member."

WENT_WRONG = {
    400: "We could not read what was sent.",
    403: "This page is not for you.",
    404: "There is nothing growing here.",
    405: "This page cannot be used in that way.",
    422: "We could not read what was sent.",
    429: "That was too often. Wait a few minutes, and then try again.",
    500: "Something went wrong on our side. It is noted, and nothing was changed.",
}
