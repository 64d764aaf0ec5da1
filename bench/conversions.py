"""How fast are eight variants of a photograph, and how good? `python -m bench.conversions`

Photographs of 12 and 24 megapixels (JPEG, quality 90, from Debian's mate-backgrounds) become eight
variants, bytes in, bytes out, in warm processes, in turns, so that whatever else the machine does
hits all. Peers are those that are installed, ImageMagick for one, or that pip and npm can put into
var/bench: sharp and pyvips. All have the encoders' settings that we have. Beside them: the floor,
which is to decode at half the size and to encode, on two threads, what was resized long before.

Prints medians, ratios and likeness to the reference (SSIM); `--write` puts them into
docs/performance.md. Exits with 1 below a target, with 2 where there are no photographs.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from bench import _magick
from bench._pictures import HERE, PICTURES, RECIPES, opened, pictures, reference, ssim
from conversions.imaging import Effort, Recipe
from conversions.imaging.encode import encode

DOCUMENT = Path("docs/performance.md")
_BEGIN, _END = "<!-- bench.conversions: begin -->\n", "<!-- bench.conversions: end -->\n"
OURS, NAIVE, FLOOR = "Sekisho", "Pillow, naive", "floor"
MOST_MEMORY = 80_000_000  # bytes above an idle interpreter
WORST_LIKENESS = -0.002  # of SSIM, against naive Pillow's
# How many times as long as ours a peer must take at least. A floor of 1 / 1.25 is ours at 1.25.
TARGETS = {
    FLOOR: 1 / 1.25,
    NAIVE: 6.0,
    "sharp, Promise.all": 1.4,
    "sharp, Promise.all, 2 threads": 1.4,
    "sharp, decode once": 1.0,
    "sharp, decode once, 2 threads": 1.0,
}


class Peer:
    """A warm process that makes all variants on demand."""

    def __init__(self, *command: str) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, picture: Path, directory: Path | None = None) -> dict[str, float]:
        """Return milliseconds, and by how many bytes the process has grown since it was idle."""
        assert self._process.stdin  # noqa: S101
        assert self._process.stdout  # noqa: S101
        self._process.stdin.write(f"{picture}\t{directory}\n" if directory else f"{picture}\n")
        self._process.stdin.flush()
        answer: dict[str, float] = json.loads(self._process.stdout.readline())
        return answer

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


def _python(way: str) -> Peer:
    return Peer(sys.executable, "-m", "bench._fan_outs", way)


def _peers() -> dict[str, Peer]:
    """Start all; what cannot be installed is left out, and said so."""
    peers = {OURS: _python("ours"), FLOOR: _python("floor"), NAIVE: _python("naive")}
    pip = f"{sys.executable} -m pip install -q --target {HERE}/python pyvips pyvips-binary"
    if _installed(HERE / "python/pyvips", pip):
        peers["pyvips per variant"] = _python("vips")
    if _installed(HERE / "node_modules/sharp", f"npm install --prefix {HERE} sharp"):
        recipes = json.dumps([recipe.to_mapping() for recipe in RECIPES])
        for name, way in (("Promise.all", "all"), ("decode once", "once")):
            for suffix, threads in (("", "default"), (", 2 threads", "2")):
                command = ("node", "bench/_sharp.mjs", recipes, way, threads)
                peers[f"sharp, {name}{suffix}"] = Peer(*command)
    if _magick.program():
        peers["ImageMagick per variant"] = _python("magick")
    else:
        print(f"Left out: ImageMagick (neither of {', '.join(_magick.PROGRAMS)} is it)")
    return peers


def _installed(there: Path, command: str) -> bool:
    if not there.exists():
        try:
            subprocess.run(command.split(), check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"Left out: {there.name} ({error})")
            return False
    return True


@dataclass
class Measured:
    """One picture: medians in milliseconds, how many times as long as ours, and likeness."""

    milliseconds: dict[str, float]
    ratios: dict[str, float]
    likeness: dict[str, dict[str, float]]
    grown: float

    def missed(self) -> list[str]:
        found = [
            f"{name}: {self.ratios[name]:.2f} times ours, not {least:.2f}"
            for name, least in TARGETS.items()
            if self.ratios.get(name, least) < least
        ]
        if self.grown > MOST_MEMORY:
            found.append(f"memory: {self.grown / 1e6:.0f} MB")
        for code, naive in self.likeness[NAIVE].items():
            if self.likeness[OURS][code] - naive < WORST_LIKENESS:
                found.append(f"{code}: {self.likeness[OURS][code] - naive:+.4f} SSIM")
        return found


def _measure(peers: dict[str, Peer], picture: Path, turns: int) -> Measured:
    times: dict[str, list[float]] = {name: [] for name in peers}
    full = Image.open(picture).convert("RGB")
    wanted = {recipe.code: reference(full, recipe) for recipe in RECIPES}
    likeness = {
        name: _likeness(peer, picture, wanted) for name, peer in peers.items() if name != FLOOR
    }
    peers[FLOOR].run(picture)
    for _ in range(turns):
        for name, peer in peers.items():
            times[name].append(peer.run(picture)["milliseconds"])
    ratios = {
        name: statistics.median(b / a for a, b in zip(times[OURS], found, strict=True))
        for name, found in times.items()
    }
    alone = _python("ours")
    grown = max(alone.run(picture)["grown"] for _ in range(3))
    alone.end()
    return Measured(
        {name: statistics.median(found) for name, found in times.items()}, ratios, likeness, grown
    )


def _likeness(peer: Peer, picture: Path, wanted: dict[str, Image.Image]) -> dict[str, float]:
    """Return the SSIM of each variant against the reference. Warms the peer up as well."""
    found = {}
    with tempfile.TemporaryDirectory() as directory:
        peer.run(picture, Path(directory))
        for code, pixels in wanted.items():
            made = opened((Path(directory) / code).read_bytes())
            if made.size == pixels.size:  # others round a side as they like
                found[code] = ssim(made, pixels)
    return found


def _efforts(picture: Path) -> list[str]:
    """Return the lines of a table: what it takes to encode by less and by more effort."""
    full = Image.open(picture).convert("RGB")
    lines = ["| encoded | faster | smaller |", "| --- | --- | --- |"]
    for code in ("jpeg-1280", "webp-1280", "avif-640", "png-256"):
        (recipe,) = (each for each in RECIPES if each.code == code)
        pixels = reference(full, recipe)
        cells = [_effort(pixels, _with(recipe, effort)) for effort in Effort]
        lines.append(f"| {code} | {' | '.join(cells)} |")
    return lines


def _with(recipe: Recipe, effort: Effort) -> Recipe:
    return Recipe.from_mapping({**recipe.to_mapping(), "effort": effort})


def _effort(pixels: Image.Image, recipe: Recipe) -> str:
    found = []
    for _ in range(5):
        begun = time.thread_time()
        data = encode(pixels.copy(), recipe)
        found.append((time.thread_time() - begun) * 1_000)
    return f"{min(found):.0f} ms, {len(data) / 1_000:.0f} kB"


def _table(found: dict[str, Measured], turns: int) -> list[str]:
    names = list(found)
    first = found[names[0]]
    load = os.getloadavg()[0]
    lines = [
        f"Medians of {turns} turns each, in milliseconds, on {os.cpu_count()} processors, at a load"
        f" of {load:.0f} by others and by this. In brackets: how many times as long as ours, in the"
        " median of turns.",
        "",
        f"| | {' | '.join(names)} |",
        f"| --- |{' --- |' * len(names)}",
    ]
    for peer in sorted(first.milliseconds, key=lambda name: first.ratios[name]):
        cells = [
            f"{each.milliseconds[peer]:.0f} ({each.ratios[peer]:.2f})" for each in found.values()
        ]
        lines.append(f"| {peer} | {' | '.join(cells)} |")
    cells = [f"{each.grown / 1e6:.0f} MB" for each in found.values()]
    lines += [f"| our memory above idle | {' | '.join(cells)} |", "", *_qualities(found)]
    for name, each in found.items():
        lost = [f"{peer} ({ratio:.2f})" for peer, ratio in each.ratios.items() if ratio < 1]
        slower = ", ".join(peer for peer in lost if not peer.startswith(FLOOR)) or "nobody"
        lines.append(f"- {name}: faster than we are: {slower}. Missed: {_or(each.missed())}.")
    return lines


def _or(missed: list[str]) -> str:
    return "; ".join(missed) or "nothing"


def _qualities(found: dict[str, Measured]) -> list[str]:
    """Return the lines of a table: SSIM of naive Pillow, and how far others are from that."""
    lines = []
    for name, each in found.items():
        others = [peer for peer in each.likeness if peer != NAIVE and "2 threads" not in peer]
        head = [f"SSIM, {name}", "naive", *others]
        lines += [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
        for code, naive in each.likeness[NAIVE].items():
            cells = [
                f"{each.likeness[peer][code] - naive:+.4f}" if code in each.likeness[peer] else "–"
                for peer in others
            ]
            lines.append(f"| {code} | {naive:.4f} | {' | '.join(cells)} |")
        lines.append("")
    return lines


def _write(lines: list[str]) -> None:
    """Put the tables into the document, in the place of those of the last run."""
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    block = "\n".join([*lines, ""])
    DOCUMENT.write_text(f"{before}{_BEGIN}{block}{_END}{after}", encoding="utf-8")


def main() -> int:
    """Run the comparison; the exit code says whether the targets were met."""
    parser = argparse.ArgumentParser(prog="bench.conversions", description="See the module's text.")
    parser.add_argument("--turns", type=int, default=15, help="turns per peer (default: 15)")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {DOCUMENT}")
    options = parser.parse_args()
    try:
        files = pictures()
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"There are no photographs to be had here (apt-get, dpkg-deb): {error}")
        return 2
    peers = _peers()
    try:
        found = {name: _measure(peers, path, options.turns) for name, path in files.items()}
    finally:
        for peer in peers.values():
            peer.end()
    lines = [*_table(found, options.turns), "", *_efforts(files["12 MP"])]
    print("\n".join(lines))
    if options.write:
        _write(lines)
    return 1 if any(found[name].missed() for name in PICTURES if "detailed" not in name) else 0


if __name__ == "__main__":
    sys.exit(main())
