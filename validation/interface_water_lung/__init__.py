"""The dose beside a plane between water and lung."""
