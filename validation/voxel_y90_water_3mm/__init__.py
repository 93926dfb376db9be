"""The dose around one hot voxel in water."""
