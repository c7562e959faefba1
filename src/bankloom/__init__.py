"""Bankloom keeps your own database in step with your banks, through Plaid."""
