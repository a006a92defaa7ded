"""Files of the uplink that are absent, or tell their secret to everybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.config import UplinkConfig, key_mistakes

KEY = "-----BEGIN EC PRIVATE KEY-----\nc2VjcmV0\n-----END EC PRIVATE KEY-----\n"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\ncHVibGlj\n-----END CERTIFICATE-----\n"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    for name, text in (("ca", CERTIFICATE), ("cert", CERTIFICATE), ("key", KEY)):
        (tmp_path / f"{name}.pem").write_text(text)
        (tmp_path / f"{name}.pem").chmod(0o640 if name == "key" else 0o644)
    return {name: tmp_path / f"{name}.pem" for name in ("ca", "cert", "key")}


def test_a_key_for_its_owner_and_group_is_a_secret(files: dict[str, Path]) -> None:
    assert key_mistakes(UplinkConfig(**files)) == []


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o601])
def test_a_key_with_any_right_for_others_is_none(files: dict[str, Path], mode: int) -> None:
    files["key"].chmod(mode)
    (said,) = key_mistakes(UplinkConfig(**files))
    assert said.startswith("uplink.key: ")
    assert f"(mode {mode:o}); chmod o= {files['key']}" in said
    assert "c2VjcmV0" not in said


def test_a_key_within_the_certificates_file_counts_too(files: dict[str, Path]) -> None:
    files["cert"].write_text(CERTIFICATE + KEY)
    (said,) = key_mistakes(UplinkConfig(ca=files["ca"], cert=files["cert"]))
    assert said.startswith("uplink.cert: ")


def test_each_file_that_is_absent_is_told(files: dict[str, Path]) -> None:
    for path in files.values():
        path.unlink()
    said = key_mistakes(UplinkConfig(**files))
    assert [line.split(":")[0] for line in said] == ["uplink.ca", "uplink.cert", "uplink.key"]
    assert all("No such file" in line for line in said)


def test_a_folder_in_a_files_place_is_told(tmp_path: Path) -> None:
    assert "Is a directory" in key_mistakes(UplinkConfig(ca=tmp_path))[0]


def test_what_this_user_may_not_look_at_is_well_kept(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: Path) -> bytes:
        raise PermissionError

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert key_mistakes(UplinkConfig(**files)) == []


def test_without_tls_there_is_nothing_to_look_at() -> None:
    assert key_mistakes(UplinkConfig()) == []
