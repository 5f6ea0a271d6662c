"""LLaVA-OneVision in process: a generator on retrieved frames, a video's memory, photos, pages and text."""
