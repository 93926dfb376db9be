"""Shells around point sources of positrons and photons, against PENELOPE."""
