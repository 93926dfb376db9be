"""Voxel S values of seven nuclides against two tables."""
