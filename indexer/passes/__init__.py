"""One pass over one asset, for each kind: decode, sample, encode, read; results come checkpoint by checkpoint."""
