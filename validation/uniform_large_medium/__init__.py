"""A uniform source in a large uniform medium."""
