"""What the HTTP interface takes and gives, as pydantic models with examples."""
