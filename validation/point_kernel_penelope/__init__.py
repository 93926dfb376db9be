"""The Y-90 point kernel against PENELOPE on the same spectrum."""
