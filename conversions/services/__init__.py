"""Everything that changes the rows of this app. Keyword-only, named entity_action."""

from conversions.services.presets import preset_save, presets_seed

__all__ = ["preset_save", "presets_seed"]
