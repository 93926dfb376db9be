"""The transport parameters, halved."""
