"""mcdose: Monte Carlo absorbed dose for radionuclide therapy."""

__version__ = "0.1.0.dev0"
