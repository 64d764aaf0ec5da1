"""The benchmark of conversions: its photographs, its variants, and how like two pictures are."""

import io
import subprocess
from array import array
from pathlib import Path

from PIL import Image, ImageMath, ImageOps

from conversions.imaging import Fit, Format, Recipe

HERE = Path("var/bench")
_PACKAGE = "mate-backgrounds"  # of Debian
_AT = "usr/share/backgrounds/mate"
# The largest photograph, and a painting that was photographed with every stroke of the brush.
_SOFT, _DETAILED = f"{_AT}/nature/Wood.jpg", f"{_AT}/abstract/Elephants_5640x3172.jpg"
PICTURES = {
    "12 MP": (_SOFT, (4_000, 3_000)),
    "24 MP": (_SOFT, (6_000, 4_000)),
    "12 MP, detailed": (_DETAILED, (4_000, 3_000)),
}
LANCZOS = Image.Resampling.LANCZOS


def _jpeg(width: int) -> Recipe:
    return Recipe(f"jpeg-{width}", 1, Format.JPEG, width=width, progressive=False)


RECIPES = (
    Recipe("webp-200", 1, Format.WEBP, width=200, height=200, fit=Fit.COVER),
    *map(_jpeg, (320, 640, 1_280, 1_920)),
    Recipe("webp-1280", 1, Format.WEBP, width=1_280),
    Recipe("avif-640", 1, Format.AVIF, width=640, quality=50),
    Recipe("png-256", 1, Format.PNG, width=256, grayscale=True),
)


def pictures() -> dict[str, Path]:
    """Return a file for each of PICTURES, made of what Debian has. Raise CalledProcessError."""
    HERE.mkdir(parents=True, exist_ok=True)
    made = {}
    for name, (source, size) in PICTURES.items():
        made[name] = HERE / f"{name.replace(' ', '-').replace(',', '')}.jpg"
        if not made[name].exists():
            with Image.open(_unpacked() / source) as image:
                cut = ImageOps.fit(image.convert("RGB"), size, LANCZOS)
            cut.save(made[name], quality=90)
    return made


def _unpacked() -> Path:
    if not any(HERE.glob(f"{_PACKAGE}_*.deb")):
        command = ["apt-get", "download", "-o", "APT::Sandbox::User=root", _PACKAGE]
        subprocess.run(command, cwd=HERE, check=True, capture_output=True)
    (package,) = HERE.glob(f"{_PACKAGE}_*.deb")
    subprocess.run(["dpkg-deb", "-x", package, HERE / "unpacked"], check=True, capture_output=True)
    return HERE / "unpacked"


def reference(full: Image.Image, recipe: Recipe) -> Image.Image:
    """Return the pixels that a variant should have: of the whole picture, by Lanczos."""
    assert recipe.width  # noqa: S101
    if recipe.height:
        return ImageOps.fit(full, (recipe.width, recipe.height), LANCZOS)
    height = round(full.height * recipe.width / full.width)
    return full.resize((recipe.width, height), LANCZOS)


def ssim(one: Image.Image, other: Image.Image) -> float:
    """Return the structural similarity of two pictures' gray, in the mean of blocks of 8×8."""
    x, y = (image.convert("L").convert("F") for image in (one, other))
    mean_x, mean_y, xx, yy, xy = (
        image.reduce(8) for image in (x, y, _product(x, x), _product(y, y), _product(x, y))
    )
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    found = ImageMath.lambda_eval(
        lambda of: (
            (2 * of["x"] * of["y"] + c1)
            * (2 * (of["xy"] - of["x"] * of["y"]) + c2)
            / (of["x"] * of["x"] + of["y"] * of["y"] + c1)
            / (of["xx"] - of["x"] * of["x"] + of["yy"] - of["y"] * of["y"] + c2)
        ),
        x=mean_x,
        y=mean_y,
        xx=xx,
        yy=yy,
        xy=xy,
    )
    values = array("f", found.tobytes())
    return sum(values) / len(values)


def _product(one: Image.Image, other: Image.Image) -> Image.Image:
    product: Image.Image = ImageMath.lambda_eval(lambda of: of["x"] * of["y"], x=one, y=other)
    return product


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))
