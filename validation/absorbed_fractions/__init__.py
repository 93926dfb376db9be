"""Photons absorbed in spheres that emit them."""
