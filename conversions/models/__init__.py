"""The product behind the gateway: how variants are made, what was uploaded, what came of it.

presets.py     how one variant is made
uploads.py     a tenant's source files, and the variants made of them
edge.py        what the functions know of keys and tenants
"""

from conversions.models.edge import EdgeItem
from conversions.models.presets import Fit, Format, Preset
from conversions.models.uploads import (
    Conversion,
    ConversionState,
    Upload,
    UploadError,
    UploadState,
    VariantViews,
)

__all__ = [
    "Conversion",
    "ConversionState",
    "EdgeItem",
    "Fit",
    "Format",
    "Preset",
    "Upload",
    "UploadError",
    "UploadState",
    "VariantViews",
]
