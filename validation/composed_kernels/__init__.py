"""Beta spectra composed of the kernels of electrons, against the spectra simulated."""
