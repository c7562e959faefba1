"""Platypus: a stateful local emulator of the Plaid API."""
