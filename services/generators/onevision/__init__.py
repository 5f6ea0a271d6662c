"""`OneVisionGenerator`: LLaVA-OneVision in this process, on retrieved frames, a video's memory and text evidence."""
