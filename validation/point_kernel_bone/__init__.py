"""The Y-90 point kernel in bone, and at other densities."""
