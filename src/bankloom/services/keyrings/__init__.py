"""The keyring in use: opened and read again, known to all processes, rotated, checked, tidied."""
