"""Frames to sightings. Pure: no network, database, environment or clock; frameworks stay in `backends`."""

from vision.errors import VisionError
from vision.types import Departure, Detection, Event, Frame, PlateText, Reading, Sighting, Zone

__all__ = [
    "Departure",
    "Detection",
    "Event",
    "Frame",
    "PlateText",
    "Reading",
    "Sighting",
    "VisionError",
    "Zone",
]
