"""Who runs the histories: one file per kind of device."""
