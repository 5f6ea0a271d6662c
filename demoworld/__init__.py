"""Synthetic test data with known ground truth: the archive of an invented company, and a world of drawn scenes.

Every company, person, ship, place and sum in it is made up; nothing here claims anything about the real world.
"""
