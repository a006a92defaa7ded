"""The file that ships says what the trained network says."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
# Many threads on few cores wait for each other more than they work.
torch.set_num_threads(1)
onnx = pytest.importorskip("onnx")

from models.train.examples import INPUT  # noqa: E402
from models.train.export import export, quantize  # noqa: E402
from models.train.loop import tensors  # noqa: E402
from models.train.network import Network, fold  # noqa: E402

SHAPE = (INPUT[1], INPUT[0], 3)


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    made = Network()
    # A head that says something: at the start it tells every cell alike.
    for head in (made.grid_head, made.map_head):
        torch.nn.init.normal_(head.weight, std=0.3)
    made.train()
    with torch.no_grad():
        made(torch.rand(2, 3, INPUT[1], INPUT[0]))
    return made.eval()


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    coarse = rng.integers(0, 255, (3, INPUT[1] // 16, INPUT[0] // 16, 3), dtype=np.uint8)
    return [np.kron(one, np.ones((16, 16, 1), np.uint8)) for one in coarse]


@pytest.fixture(scope="module")
def files(network, pictures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    export(network, folder / "fp32.onnx")
    quantize(folder / "fp32.onnx", folder / "int8.onnx", pictures)
    return folder


def run(path, feed) -> list[np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (wanted,) = session.get_inputs()
    assert wanted.name == "images"
    return session.run(None, {"images": feed})


def test_folding_normalization_changes_nothing(network, pictures):
    x = tensors(torch.from_numpy(pictures[0][None]), torch.device("cpu"))
    with torch.no_grad():
        for plain, folded in zip(network(x), fold(network)(x), strict=True):
            np.testing.assert_allclose(plain.numpy(), folded.numpy(), atol=1e-3)


def test_eight_bits_take_pixels_as_they_are_and_say_almost_the_same(files, network, pictures):
    for picture in pictures:
        assert picture.shape == SHAPE
        with torch.no_grad():
            wanted = network(tensors(torch.from_numpy(picture[None]), torch.device("cpu")))
        found = run(files / "int8.onnx", picture[None])
        for ours, true in zip(found, wanted, strict=True):
            assert ours.shape == true.shape
            error = np.abs(ours - true.numpy()).mean() / np.abs(true.numpy()).mean()
            assert error < 0.08


def test_the_file_is_small_and_the_same_each_time(files, pictures, tmp_path):
    path = files / "int8.onnx"
    assert path.stat().st_size <= 1_500_000
    quantize(files / "fp32.onnx", tmp_path / "again.onnx", pictures)
    assert (tmp_path / "again.onnx").read_bytes() == path.read_bytes()
    assert not list(files.glob("*.part"))
