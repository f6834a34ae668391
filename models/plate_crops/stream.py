"""What the video stream of a camera does to a picture: apart, because training environments have no PyAV."""

from fractions import Fraction

import av
import numpy as np
from numpy.random import Generator

from models.pictures import Image


def h264(picture: Image, rng: Generator) -> Image:
    """Once through H.264, as the second picture of a stream that moves: for scenes, it takes milliseconds."""
    h, w = picture.shape[:2]
    even = picture[: h // 2 * 2, : w // 2 * 2]
    before = np.roll(even, int(rng.integers(1, 5)), axis=1)
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = even.shape[1], even.shape[0], "yuv420p"
    encoder.time_base = Fraction(1, 25)
    encoder.options = {
        "crf": str(int(rng.integers(24, 40))),
        "preset": "veryfast",
        "tune": "zerolatency",
        "threads": "1",
    }
    decoder = av.CodecContext.create("h264", "r")
    frames = []
    for number, image in enumerate((before, even)):
        sent = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="bgr24").reformat(
            format="yuv420p"
        )
        sent.pts = number
        for packet in encoder.encode(sent):
            frames += decoder.decode(packet)
    for packet in encoder.encode(None):
        frames += decoder.decode(packet)
    frames += decoder.decode(None)
    result = picture.copy()
    result[: even.shape[0], : even.shape[1]] = frames[-1].to_ndarray(format="bgr24")
    return result
