"""What is unmounted when the test cluster goes."""

from pathlib import Path

import leftovers

TABLE = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:26 / /var/lib/cluster/pods/a rw - tmpfs tmpfs rw
31 30 0:27 / /var/lib/cluster/pods/a/secret\\040of\\040it rw - tmpfs tmpfs rw
32 22 0:28 / /var/lib/cluster-of-another rw - tmpfs tmpfs rw
33 22 0:29 / /var/lib/cluster rw - tmpfs tmpfs rw
"""


def test_all_mounts_in_a_folder_are_found_the_last_one_first() -> None:
    assert leftovers.mounts_in(Path("/var/lib/cluster"), TABLE) == [
        "/var/lib/cluster",
        "/var/lib/cluster/pods/a/secret of it",
        "/var/lib/cluster/pods/a",
    ]


def test_a_folder_without_mounts_has_none() -> None:
    assert leftovers.mounts_in(Path("/var/lib/nothing"), TABLE) == []
