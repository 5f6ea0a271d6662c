"""ObjectStoreBlobs keeps what the BlobStore port promises, against a real S3 server and fsspec's memory."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.errors import BlobStoreUnavailable, SettingsError
from indexer.storage.object_store_blobs import ObjectStoreBlobs
from tests.support.contract_blob_store import BlobStoreContract
from tests.support.object_store import make_bucket, run_s3_server


@pytest.fixture(scope="module")
def s3_environment() -> Iterator[dict[str, str]]:
    with run_s3_server() as s3_environment, pytest.MonkeyPatch.context() as patched:
        for name, value in s3_environment.items():
            patched.setenv(name, value)
        yield s3_environment


@pytest.fixture
def url(s3_environment: dict[str, str]) -> str:
    bucket = uuid.uuid4().hex
    make_bucket(s3_environment, bucket)
    return f"s3://{bucket}/archive"


class TestS3(BlobStoreContract):
    @pytest.fixture
    def blobs(self, url: str) -> ObjectStoreBlobs:
        return ObjectStoreBlobs(url)

    def test_what_another_process_writes_is_seen_at_once(self, url: str) -> None:
        writer, reader = ObjectStoreBlobs(url), ObjectStoreBlobs(f"{url}/")
        assert list(reader.list_keys("a")) == []
        writer.put("a/b", b"1")
        assert (list(reader.list_keys("a")), reader.get("a/b")) == (["a/b"], b"1")
        writer.put("a/b", b"22")
        assert (reader.size("a/b"), reader.get("a/b")) == (2, b"22")
        writer.delete_prefix("a")
        assert list(reader.list_keys("a")) == []

    def test_a_set_loses_what_completes_it_first(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("indexer.storage.object_store_blobs._MAX_KEYS_PER_DELETE", 1)
        blobs = ObjectStoreBlobs(url)
        for name in ("00000.json", "00001.json", "manifest.json"):
            blobs.put(f"x/{name}", b"")
        removed: list[str] = []
        remove = blobs._remove

        def record_and_remove(names: list[str]) -> None:
            removed.extend(names)
            remove(names)

        monkeypatch.setattr(blobs, "_remove", record_and_remove)
        blobs.delete_prefix("x")
        assert removed == ["x/manifest.json", "x/00001.json", "x/00000.json"]

    @pytest.mark.slow
    def test_large_files_pass_in_flat_memory(self, url: str, tmp_path: Path, s3_environment: dict[str, str]) -> None:
        with (tmp_path / "large").open("wb") as file:
            file.truncate(100 << 20)
        script = f"""
            import resource
            from pathlib import Path
            from indexer.storage.object_store_blobs import ObjectStoreBlobs
            blobs = ObjectStoreBlobs({url!r})
            blobs.put("small", b"x" * 20_000_000)
            list(blobs.stream("small"))
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            blobs.put_file("large", Path({str(tmp_path / "large")!r}))
            assert sum(len(part) for part in blobs.stream("large")) == 100 << 20
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
        """
        command = [sys.executable, "-c", textwrap.dedent(script)]
        done = subprocess.run(command, env={**os.environ, **s3_environment}, capture_output=True, text=True, check=True)
        assert int(done.stdout) < 70_000  # KB, and of four parts 32,768


class TestMemory(BlobStoreContract):
    @pytest.fixture
    def blobs(self) -> ObjectStoreBlobs:
        return ObjectStoreBlobs(f"memory://{uuid.uuid4().hex}")


def test_a_folder_is_refused_and_the_setting_for_it_named() -> None:
    with pytest.raises(SettingsError, match="AFTERIMAGE_HOME"):
        ObjectStoreBlobs("file:///srv/blobs")


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(SettingsError, match="AFTERIMAGE_BLOBS__URL"):
        ObjectStoreBlobs("nosuch://bucket")


@pytest.mark.slow
def test_a_store_that_is_not_there_is_not_taken_for_an_empty_one(
    s3_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    blobs = ObjectStoreBlobs("s3://bucket/archive")
    for use in (lambda: blobs.get("key"), lambda: list(blobs.list_keys("a")), lambda: blobs.put("key", b"")):
        with pytest.raises(BlobStoreUnavailable):
            use()
