"""How fast mcdose is, here and against PENELOPE."""
