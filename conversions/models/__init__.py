"""The product behind the gateway: how variants are made, what was uploaded, what came of it.

presets.py     how one variant is made        watermarks.py   what may be laid over it
uploads.py     a tenant's source files, and the variants made of them
remakes.py     making a preset's variants of older uploads
retention.py   how long files are kept
edge.py        what the functions know of keys and tenants
"""

from conversions.models.edge import EdgeItem
from conversions.models.presets import (
    TEXT_FORMATS,
    Animation,
    AppliesTo,
    Effort,
    Fit,
    Format,
    LineEndings,
    Metadata,
    Position,
    Preset,
)
from conversions.models.remakes import Remake, RemakeState
from conversions.models.retention import Retention
from conversions.models.uploads import (
    Conversion,
    ConversionError,
    ConversionState,
    Upload,
    UploadError,
    UploadState,
    VariantViews,
)

__all__ = [
    "TEXT_FORMATS",
    "Animation",
    "AppliesTo",
    "Conversion",
    "ConversionError",
    "ConversionState",
    "EdgeItem",
    "Effort",
    "Fit",
    "Format",
    "LineEndings",
    "Metadata",
    "Position",
    "Preset",
    "Remake",
    "RemakeState",
    "Retention",
    "Upload",
    "UploadError",
    "UploadState",
    "VariantViews",
]
