"""Whatever can happen to a shop, in any order, and what must be true all the same."""
