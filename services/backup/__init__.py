"""Backup of an archive into a folder, and its restoration."""
