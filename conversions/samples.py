"""Code samples of the sold API: each operation of the reference in curl, Python and JavaScript.

They are programs in `serverless/samples/`, named for the operation, which the docs page shows and a
test runs. Each reads the key from the environment variable API_KEY, and an id that it needs from
UPLOAD, JOB or EXECUTION.
"""

from dataclasses import dataclass

from conversions import reference

FOLDER = reference.HERE / "samples"
BASE_URL = "https://api.example.com"  # stands in the files for the gateway's address


@dataclass(frozen=True)
class Language:
    """What a sample is written in; `helper` is what some samples need beside it."""

    code: str
    label: str
    suffix: str
    helper: str = ""


@dataclass(frozen=True)
class Sample:
    """A program that is ready to run; `needs` is what to install first, if anything."""

    language: Language
    text: str
    needs: str


LANGUAGES = (
    Language("curl", "curl", "sh", helper="jq"),
    Language("python", "Python", "py", helper="httpx"),
    Language("javascript", "JavaScript", "mjs"),
)


def operations() -> list[str]:
    """Return the ids of the reference's operations, in its order."""
    paths = reference.document()["paths"].values()
    return [operation["operationId"] for verbs in paths for operation in verbs.values()]


def sample(operation: str, language: Language, *, base_url: str) -> Sample:
    """Return an operation's sample for the API at `base_url`."""
    path = FOLDER / f"{operation}.{language.suffix}"
    text = path.read_text(encoding="utf-8").strip().replace(BASE_URL, base_url)
    return Sample(language, text, needs=language.helper if language.helper in text else "")
