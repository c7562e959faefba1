"""Webhooks: proven to be Plaid's, stored as they came, and done what the table says."""
