"""Fresh ids: UUIDv7, each once, in the order in which they were made, beyond one read of the system's randomness."""

import uuid

from decabilld.ids import POOL_BYTES, new_id


def test_ids_are_version_7_unique_and_in_order() -> None:
    made = [new_id() for _ in range(POOL_BYTES)]
    assert made == sorted(set(made))
    assert {(uuid.UUID(one).version, uuid.UUID(one).variant) for one in made} == {(7, uuid.RFC_4122)}
    assert all(str(uuid.UUID(one)) == one for one in made)
    random_parts = {one[19:] for one in made}
    assert len(random_parts) == len(made)
