"""Pumps: one interface, a driver for each make, and the loop that drives them. See docs/pumps.md."""
