"""Erasing Items, accounts and people: at Plaid first, then here, with a receipt."""
