"""Slow comparisons with other codes and closed forms: one folder per question, `python -m validation NAME`."""
