"""The tests; asserts of the support package say what differs, as those of tests do."""

import pytest

pytest.register_assert_rewrite("tests.support")
