"""All emissions of four nuclides in blocks of voxels, against PENELOPE."""
