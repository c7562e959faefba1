"""Webhooks as Plaid sends them: bodies, signatures, deliveries and their retries."""
