"""Where the energy of positrons goes in water, against PENELOPE."""
