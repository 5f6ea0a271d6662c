"""Contract of blob stores: an adapter's tests inherit `BlobStoreContract` and override `blobs`."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.errors import ArtifactError
from indexer.ports import BlobStore


class BlobStoreContract:
    """Tests of every blob store; override `blobs` with an empty store of the adapter."""

    @pytest.fixture
    def blobs(self, tmp_path: Path) -> BlobStore:
        raise NotImplementedError

    def test_what_was_put_is_read_back_whole_and_in_parts(self, blobs: BlobStore) -> None:
        blobs.put("a/b/c.bin", b"0123456789")
        assert blobs.get("a/b/c.bin") == b"0123456789"
        assert blobs.get("a/b/c.bin", offset=3, length=4) == b"3456"
        assert blobs.get("a/b/c.bin", offset=8) == b"89"
        assert blobs.get("a/b/c.bin", offset=4, length=0) == b""
        assert blobs.get("a/b/c.bin", offset=10) == b""

    def test_a_blob_is_replaced(self, blobs: BlobStore) -> None:
        blobs.put("key", b"old and long")
        assert blobs.size("key") == 12
        blobs.put("key", b"new")
        assert (blobs.get("key"), blobs.size("key")) == (b"new", 3)

    def test_an_empty_blob_is_one(self, blobs: BlobStore) -> None:
        blobs.put("a/nothing", b"")
        assert (blobs.get("a/nothing"), blobs.size("a/nothing")) == (b"", 0)
        assert list(blobs.stream("a/nothing")) == []
        assert list(blobs.list_keys("a")) == ["a/nothing"]

    def test_a_missing_key_and_a_short_one_are_artifact_errors(self, blobs: BlobStore) -> None:
        blobs.put("x/short", b"abc")
        for use in (blobs.get, blobs.size, lambda key: list(blobs.stream(key)), lambda key: blobs.get(key, 1, 1)):
            for key in ("missing", "x"):
                with pytest.raises(ArtifactError):
                    use(key)
        with pytest.raises(ArtifactError), blobs.local_file("missing"):
            pass
        with pytest.raises(ArtifactError, match="2 bytes short"):
            blobs.get("x/short", offset=1, length=4)
        with pytest.raises(ArtifactError, match="bytes short"):
            list(blobs.stream("x/short", 1, 5))

    def test_names_are_sorted_and_below_the_prefix_only(self, blobs: BlobStore) -> None:
        for key in ("x/2", "x/1", "x/y/3", "xx/4"):
            blobs.put(key, b"")
        assert list(blobs.list_keys("x")) == ["x/1", "x/2", "x/y/3"]
        assert list(blobs.list_keys("x/1")) == []
        assert list(blobs.list_keys("nothing")) == []
        assert list(blobs.list_keys("")) == ["x/1", "x/2", "x/y/3", "xx/4"]

    def test_delete_removes_all_below_and_counts_it(self, blobs: BlobStore) -> None:
        for key in ("x/1", "x/y/2", "x/film [1080p] *.mp4", "z/3"):
            blobs.put(key, b"")
        assert blobs.delete_prefix("x") == 3
        assert blobs.delete_prefix("x") == 0
        assert list(blobs.list_keys("")) == ["z/3"]

    def test_a_key_cannot_leave_the_store(self, blobs: BlobStore) -> None:
        for key in ("../outside", "/etc/passwd", "a/../../b"):
            for use in (blobs.get, blobs.size, blobs.delete_prefix, lambda key: blobs.put(key, b"")):
                with pytest.raises(ArtifactError, match="is not a key"):
                    use(key)

    def test_a_file_goes_in_and_comes_out(self, blobs: BlobStore, tmp_path: Path) -> None:
        source = tmp_path / "source.bin"
        source.write_bytes(bytes(range(256)) * 100_000)  # several parts and chunks
        blobs.put_file("media/a/film [1].mp4", source)
        assert blobs.size("media/a/film [1].mp4") == 25_600_000
        with blobs.local_file("media/a/film [1].mp4") as path:
            assert path.name == "film [1].mp4"
            assert path.read_bytes() == source.read_bytes()
        assert source.exists()

    def test_a_stream_gives_any_part_some_at_a_time(self, blobs: BlobStore) -> None:
        data = bytes(range(256)) * 40_000
        blobs.put("film", data)
        for start, end in ((0, None), (100, None), (5, 9_999_999), (7, 8), (9, 9)):
            parts = list(blobs.stream("film", start, end))
            assert b"".join(parts) == data[start:end]
            assert max(map(len, parts), default=0) <= 4 << 20

    def test_a_source_that_is_not_there_changes_nothing(self, blobs: BlobStore, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            blobs.put_file("key", tmp_path / "nowhere")
        assert list(blobs.list_keys("")) == []
