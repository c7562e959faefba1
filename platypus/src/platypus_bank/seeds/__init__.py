"""What the world is made of: institutions, people and their money."""
