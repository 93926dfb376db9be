"""Mono-energetic electrons in water against PENELOPE."""
