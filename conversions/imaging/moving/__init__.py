"""Moving pictures: their frames, found without decoding them."""
