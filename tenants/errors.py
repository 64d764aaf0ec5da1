"""What the services of tenants refuse.

Refused                  the caller can mend it; the text is for people
└── NotInThisState       the thing exists, but not in a state that allows this
"""


class Refused(Exception):
    """The request was understood and refused. `str()` of it is translated text for people."""


class NotInThisState(Refused):
    """The thing is there, but its state does not allow this."""
