"""What the services of tenants refuse.

Refused                  the caller can mend it; the text is for people
├── NotInThisState       the thing exists, but not in a state that allows this
└── AmountChanged        what is to pay is not what the caller was shown
"""


class Refused(Exception):
    """The request was understood and refused. `str()` of it is translated text for people.

    `code` is for programs: the management API's problem has it (tenants/problems.py).
    """

    code = "refused"


class NotInThisState(Refused):
    """The thing is there, but its state does not allow this."""

    code = "not_in_this_state"


class AmountChanged(Refused):
    """What is to pay is not what the caller was shown, and agreed to."""

    code = "amount_changed"
