"""`make demo`: the product's story, told by a visitor, a caller and an operator who all are httpx.

Nothing is faked and nothing is read from the database: pages, the gateway, webhooks and commands
are what users have. Each step says what it saw and how long it took; the first thing that is not as
it should be ends the story.
"""

from portal.demo.story import tell

__all__ = ["tell"]
