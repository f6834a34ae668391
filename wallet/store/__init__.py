"""The only SQL of the service: each module reads and writes rows for one idea.

Functions take an open connection.
"""
