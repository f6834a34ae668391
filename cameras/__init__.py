"""Camera streams to signed sightings: sources, health, evidence, the outbox and the watch loop."""
