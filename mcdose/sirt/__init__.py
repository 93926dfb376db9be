"""Selective internal radiation therapy: what is planned and checked around the dose."""
