"""People whose lives go on: the bank of `user_living`, where money moves with the world's clock.

What happens on a day follows from the world's seed, the person's name and the day alone, so a
world that is advanced in one leap holds the same as one that lived through every hour.
"""
