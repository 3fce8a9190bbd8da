"""The site's messages: the notices at the top of a page, and the texts of error pages."""

WELCOME = "Welcome to the garden!"
WELCOME_BACK = "Welcome back!"
SEE_YOU = "You're logged out. See you soon!"
GOODBYE = "Your account has been deleted, and you've been logged out on all devices. Goodbye!"

MUST_LOG_IN = "Log in to see this page."
LOG_IN_ONCE_MORE = "Your last login was a while ago. Log in again."
WRONG_LOGIN = "The email or password is incorrect."
LOGIN_LINK_IS_COMING = "If we know this email address, you'll soon get an email with a login link."
BAD_LOGIN_LINK = "This login link isn't valid, or it has expired."

FIRST_LINK_IS_COMING = (
    "We've sent you an email. Open its link to confirm your email address and log in."
)
CONFIRMATION_IS_COMING = (
    "If we know this email address and you haven't confirmed it yet, "
    "you'll soon get an email with a link."
)
CONFIRMED = "Your email address is confirmed."
CLEARED = (
    "Your email address is confirmed. Before you log in, set a password of your own: "
    "choose “Forgot your password?” on the login page."
)
BAD_CONFIRMATION_LINK = "This confirmation link isn't valid, or it has expired."

RESET_IS_COMING = (
    "If we know this email address, you'll soon get an email with a link to reset your password."
)
PASSWORD_IS_RESET = "Your password is changed. You can log in now."
BAD_RESET_LINK = "This link to reset the password isn't valid, or it has expired."

LINK_IS_SENT = "We've sent a link to {}. Open it to use this email address from now on."
EMAIL_IS_CHANGED = "Your email address is changed."
BAD_EMAIL_LINK = "This link to change the email address isn't valid, or it has expired."
PASSWORD_IS_CHANGED = "Your password is changed."

POSTED = "Your post is on the board."
NOT_POSTED = "A post needs a short title and a few lines of text."
PICKED = "Plot {} is yours."
NOT_PICKED = "Another member already has this plot."
ONE_MORE_ORGANIZER = "The group has one more organizer."
NO_ORGANIZER = "Only an organizer can do this, and only for a member of the group."

WENT_WRONG = {
    400: "We couldn't read this request.",
    403: "You can't open this page.",
    404: "Nothing grows here.",
    405: "This page doesn't support that.",
    422: "We couldn't read this form.",
    429: "Too many attempts. Wait a few minutes, and then try again.",
    500: "Something went wrong on our side. We've logged it, and nothing was changed.",
}
