"""The reported standard error."""
