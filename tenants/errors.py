"""What the services of tenants refuse.

Refused                  the caller can mend it; the text is for people
├── Invalid              a value is wrong in itself, however things stand
├── NotInThisState       the thing exists, but not in a state that allows this
└── AmountChanged        what is to pay is not what the caller was shown
"""


class Refused(Exception):
    """The request was understood and refused. `str()` of it is translated text for people.

    `code` is for programs: the management API's problem has it (tenants/problems.py).
    """

    code = "refused"


class Invalid(Refused):
    """A value is wrong in itself, however things stand. `field` is the argument that has it, which
    the management API names the same.
    """

    code = "invalid"

    def __init__(self, text: str, *, field: str) -> None:
        super().__init__(text)
        self.field = field


class NotInThisState(Refused):
    """The thing is there, but its state does not allow this."""

    code = "not_in_this_state"


class AmountChanged(Refused):
    """What is to pay is not what the caller was shown, and agreed to."""

    code = "amount_changed"
