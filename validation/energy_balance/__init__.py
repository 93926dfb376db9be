"""The balance of the energy."""
