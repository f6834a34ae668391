"""The dispute pack of a visit: gathered, bound in a chain, signed, and checked without the service."""
