"""Points of dose-volume histograms, against plastimatch and dicompyler-core."""
