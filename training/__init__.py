"""Offline: from a folder of MIDI files to a model that plays. Run as ``python -m training.NAME``."""
