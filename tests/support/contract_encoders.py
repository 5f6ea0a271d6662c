"""Contracts of encoders: a test class inherits one and gives it an encoder as a fixture."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from indexer.ports import ImageTextEncoder, SentenceEncoder, TokenEncoder
from indexer.types import Pixels, Vectors


def make_natural_picture(seed: int, height: int = 180, width: int = 320) -> Pixels:
    """Draw soft shapes, an edge and a little grain: spectrally closer to a photograph than noise is."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    planes = [
        sum(rng.normal() * np.cos(2 * np.pi * (rng.normal() * k * x + rng.normal() * k * y)) / k for k in range(1, 9))
        for _ in range(3)
    ]
    picture = 128 + 45 * np.stack(planes, axis=-1) + rng.normal(0, 3, (height, width, 3))
    picture[:, int(width * rng.uniform(0.2, 0.8)) :] *= rng.uniform(0.4, 0.9)
    return picture.clip(0, 255).astype(np.uint8)


def check_unit_rows(vectors: Vectors, rows: int, dim: int) -> None:
    """Check that rows have length 1."""
    assert vectors.shape == (rows, dim)
    assert vectors.dtype == np.float32
    assert vectors.flags.c_contiguous
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


class ImageTextEncoderContract:
    """Tests of every encoder of pictures and texts; a subclass has the encoder as a fixture."""

    tolerance = 1e-5

    @pytest.fixture
    def encoder(self) -> ImageTextEncoder:
        raise NotImplementedError

    def test_pictures_of_any_size_and_words_become_unit_rows_of_one_width(self, encoder: ImageTextEncoder) -> None:
        sizes = ((64, 64), (180, 320), (320, 180), (17, 400), (1, 1))
        pictures = [make_natural_picture(i, *size) for i, size in enumerate(sizes)]
        check_unit_rows(encoder.encode_images(pictures), 5, encoder.dim)
        check_unit_rows(encoder.encode_texts(["a fire truck", "", "소방차 " * 200]), 3, encoder.dim)

    def test_nothing_gives_no_rows(self, encoder: ImageTextEncoder) -> None:
        assert encoder.encode_images([]).shape == (0, encoder.dim)
        assert encoder.encode_texts([]).shape == (0, encoder.dim)

    def test_a_vector_does_not_depend_on_its_neighbours(self, encoder: ImageTextEncoder) -> None:
        pictures = [make_natural_picture(i) for i in range(7)]
        alone = np.concatenate([encoder.encode_images([picture]) for picture in pictures])
        np.testing.assert_allclose(encoder.encode_images(pictures), alone, atol=self.tolerance)
        texts = ["one", "two words", "three words here"]
        np.testing.assert_allclose(
            encoder.encode_texts(texts)[2:], encoder.encode_texts(texts[2:]), atol=self.tolerance
        )

    def test_different_pictures_get_different_vectors_and_the_order_is_kept(self, encoder: ImageTextEncoder) -> None:
        a, b = make_natural_picture(1), make_natural_picture(2)
        forth, back = encoder.encode_images([a, b]), encoder.encode_images([b, a])
        np.testing.assert_allclose(forth, back[::-1], atol=self.tolerance)
        assert np.abs(forth[0] - forth[1]).max() > 1e-3

    def test_the_input_is_left_as_it_was_and_may_be_read_only(self, encoder: ImageTextEncoder) -> None:
        picture = make_natural_picture(3)
        picture.flags.writeable = False
        before = picture.copy()
        encoder.encode_images([picture])
        np.testing.assert_array_equal(picture, before)

    def test_the_id_is_stable(self, encoder: ImageTextEncoder) -> None:
        assert encoder.model_id
        assert encoder.model_id == encoder.model_id


class TokenEncoderContract:
    """Tests of every token encoder; a subclass has the fixtures `token_encoder` and `visual_encoder`."""

    tolerance = 1e-5

    @pytest.fixture
    def token_encoder(self) -> TokenEncoder:
        raise NotImplementedError

    @pytest.fixture
    def visual_encoder(self) -> ImageTextEncoder | None:
        """Encoder of the visual lane that shares its tower with the token encoder, if any."""
        raise NotImplementedError

    def test_pictures_of_any_size_become_tokens_of_one_shape(self, token_encoder: TokenEncoder) -> None:
        pictures = [make_natural_picture(i, *size) for i, size in enumerate(((64, 64), (180, 320), (17, 400), (1, 1)))]
        _, found = token_encoder.encode(pictures)
        assert found.shape == (4, token_encoder.positions, token_encoder.width)
        assert found.dtype == np.float32
        assert found.flags.c_contiguous
        assert np.isfinite(found).all()

    def test_the_embeddings_beside_them_are_bit_for_bit_those_of_the_lane(
        self, token_encoder: TokenEncoder, visual_encoder: ImageTextEncoder | None
    ) -> None:
        pictures = [make_natural_picture(i) for i in range(7)]
        vectors, _ = token_encoder.encode(pictures)
        assert (vectors is None) == (visual_encoder is None)
        if visual_encoder is not None:
            np.testing.assert_array_equal(vectors, visual_encoder.encode_images(pictures))

    def test_nothing_gives_no_tokens(self, token_encoder: TokenEncoder) -> None:
        assert token_encoder.encode([])[1].shape == (0, token_encoder.positions, token_encoder.width)

    def test_tokens_do_not_depend_on_their_neighbours(self, token_encoder: TokenEncoder) -> None:
        pictures = [make_natural_picture(i) for i in range(5)]
        alone = np.concatenate([token_encoder.encode([picture])[1] for picture in pictures])
        np.testing.assert_allclose(token_encoder.encode(pictures)[1], alone, atol=self.tolerance)
        assert np.abs(alone[0] - alone[1]).max() > 1e-3

    def test_threads_side_by_side_get_their_own_tokens(self, token_encoder: TokenEncoder) -> None:
        pictures = [make_natural_picture(i) for i in range(4)]
        expected = [token_encoder.encode([picture])[1] for picture in pictures]
        with ThreadPoolExecutor(4) as threads:
            for number, (_, found) in enumerate(
                threads.map(token_encoder.encode, [[picture] for picture in pictures * 5])
            ):
                np.testing.assert_allclose(found, expected[number % 4], atol=self.tolerance)

    def test_the_id_is_stable_and_not_that_of_the_lane(
        self, token_encoder: TokenEncoder, visual_encoder: ImageTextEncoder | None
    ) -> None:
        assert token_encoder.model_id == token_encoder.model_id
        assert visual_encoder is None or token_encoder.model_id != visual_encoder.model_id


class SentenceEncoderContract:
    """Tests of every sentence encoder; a subclass has the encoder as a fixture."""

    @pytest.fixture
    def encoder(self) -> SentenceEncoder:
        raise NotImplementedError

    def test_texts_become_unit_rows(self, encoder: SentenceEncoder) -> None:
        check_unit_rows(encoder.encode(["a fire truck", "", "long " * 1000]), 3, encoder.dim)

    def test_queries_become_unit_rows(self, encoder: SentenceEncoder) -> None:
        check_unit_rows(encoder.encode_queries(["where is the fire truck?", "", "소방차 " * 1000]), 3, encoder.dim)

    def test_a_query_is_nearest_to_the_passage_that_is_about_it(self, encoder: SentenceEncoder) -> None:
        (query,) = encoder.encode_queries(["How long is the notice period?"])
        near, far = encoder.encode(["Either side may give notice of three months.", "The truck is red."])
        assert query @ near > query @ far

    def test_nothing_gives_no_rows(self, encoder: SentenceEncoder) -> None:
        assert encoder.encode([]).shape == encoder.encode_queries([]).shape == (0, encoder.dim)

    def test_a_vector_does_not_depend_on_its_neighbours_or_their_order(self, encoder: SentenceEncoder) -> None:
        texts = [("word " * length).strip() for length in (1, 40, 3, 120, 7)]
        alone = np.concatenate([encoder.encode([text]) for text in texts])
        np.testing.assert_allclose(encoder.encode(texts), alone, atol=1e-5)

    def test_threads_that_come_at_once_get_the_same_vectors(self, encoder: SentenceEncoder) -> None:
        expected = encoder.encode(["the notice period"])
        results: list[Vectors] = []
        threads = [
            threading.Thread(target=lambda: results.append(encoder.encode(["the notice period"]))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(results) == 4
        for vectors in results:
            np.testing.assert_allclose(vectors, expected, atol=1e-5)
