"""Looks at everything a service needs, and says of each how it stands and what to do next."""
