"""The dose around a voxel of 2 x 3 x 5 mm."""
