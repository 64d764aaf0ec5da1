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
    """What a sample is written in; `needs` is what to install first, if anything."""

    code: str
    label: str
    suffix: str
    needs: str = ""


LANGUAGES = (
    Language("curl", "curl", "sh", needs="jq"),
    Language("python", "Python", "py", needs="httpx"),
    Language("javascript", "JavaScript", "mjs"),
)


def operations() -> list[str]:
    """Return the ids of the reference's operations, in its order."""
    paths = reference.document()["paths"].values()
    return [operation["operationId"] for verbs in paths for operation in verbs.values()]


def text(operation: str, language: Language, *, base_url: str) -> str:
    """Return a sample for the API at `base_url`, ready to run."""
    path = FOLDER / f"{operation}.{language.suffix}"
    return path.read_text(encoding="utf-8").replace(BASE_URL, base_url)
