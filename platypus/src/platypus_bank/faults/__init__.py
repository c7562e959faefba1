"""Trouble with calls: a Plaid path answers wrongly, late, or not at all, because a test wants it to."""
