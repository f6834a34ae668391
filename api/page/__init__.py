"""The operator page: a login, and the match log, live."""
