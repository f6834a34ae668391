"""A simulated city and a simulated forecourt: the real decision and the real wallet, seeded."""
