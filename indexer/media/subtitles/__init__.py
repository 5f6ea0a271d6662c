"""Subtitles: files beside a recording, and text streams inside it, as lines of text with times.

`sidecar_names` says which files belong to a recording; `sidecars` reads one of them, `embedded` the streams. All but
`sidecar_names` and `languages` runs inside the sandboxed process of `indexer.media.sandbox.client`.
"""
