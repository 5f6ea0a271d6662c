"""A small drawn world with known ground truth: an invented archive for demos and tests.

Every company, person, ship, place and sum in it is made up; nothing here claims anything about the real world.
"""
