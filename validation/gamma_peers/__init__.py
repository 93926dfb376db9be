"""Gamma pass rates, against pymedphys and plastimatch."""
