"""The outside of Platepay: settings, wiring, HTTP, the operator page and the command line."""
