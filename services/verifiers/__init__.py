"""Verifiers: does the evidence carry the sentence?"""
