"""`platepay demo`: a small forecourt around the real service, the real camera worker and a real stream."""
