"""Copies of the whole database: backups, restores, moves, and the proof that a copy is one."""
