"""What is refused for good: no retry makes it better, and the text is for the tenant."""


class ImageRefused(Exception):
    """The bytes are not a picture that can be converted. `code` is stable, str() readable."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
