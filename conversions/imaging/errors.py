"""What is refused for good: no retry makes it better, and the text is for the tenant."""


class FileRefused(Exception):
    """The bytes cannot be converted. `code` is stable (Refusal, in the portal), str() readable."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class VariantRefused(FileRefused):
    """What is to be made of the bytes is too much; of the same file, other variants may be made."""


def damaged() -> FileRefused:
    return FileRefused("damaged", "The picture is damaged or cut off.")
