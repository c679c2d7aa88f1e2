"""Offline: from a folder of MIDI files to a model that the runtime can play. Run as ``python -m training.NAME``."""
