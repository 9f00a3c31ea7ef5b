"""reservesvc holds a time slot for a short while and hands it off to a booking store."""

__version__ = "0.1.0"
