"""Video files and folders of stills."""

from __future__ import annotations

import os
import random
import threading
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import av
import cv2
import numpy as np
import pytest

from cameras.errors import NoPictures, StreamNotOpened
from cameras.file_sources import StillsSource, VideoFileSource
from cameras.live_source import LiveSource
from cameras.sources import open_source
from cameras.stills import Still
from tests.cameras.fakes import START, camera, picture, write_film


def seconds(frames):
    return [round((frame.captured_at - START).total_seconds(), 3) for frame in frames]


def test_a_file_gives_every_frame_at_its_own_time(tmp_path):
    times = [0, 1, 2, 5, 6, 20, 21]
    path = write_film(tmp_path / "a.mp4", [picture(seed) for seed in range(7)], times=times)
    frames = list(VideoFileSource(camera(path, starts_at=START)))
    assert seconds(frames) == [0.0, 0.1, 0.2, 0.5, 0.6, 2.0, 2.1]
    assert [frame.number for frame in frames] == list(range(7))
    assert all(frame.image.shape == (180, 320, 3) for frame in frames)


def test_a_file_without_a_start_begins_at_its_own_time(tmp_path):
    path = write_film(tmp_path / "a.mp4", [picture()] * 3)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    first = next(iter(VideoFileSource(camera(path))))
    assert first.captured_at == datetime.fromtimestamp(1_700_000_000, UTC)


def test_a_slow_reader_of_a_file_loses_nothing(tmp_path):
    path = write_film(tmp_path / "a.mp4", [picture(seed) for seed in range(30)])
    source = VideoFileSource(camera(path))
    assert source.read(0.0) is not None
    assert len(list(source)) == 29
    assert source.stats.dropped == 0
    assert source.ended


def test_a_file_is_thinned_to_the_pace_by_capture_time(tmp_path):
    path = write_film(tmp_path / "a.mp4", [picture(seed) for seed in range(50)], rate=50)
    source = VideoFileSource(camera(path, frames_per_second=10, starts_at=START))
    assert seconds(source) == pytest.approx([index / 10 for index in range(10)], abs=0.021)
    assert source.stats.thinned == 40


def test_realtime_plays_at_the_speed_it_was_taken(tmp_path):
    path = write_film(tmp_path / "a.mp4", [picture(seed) for seed in range(6)])
    begin, wall = time.monotonic(), datetime.now(UTC)
    frames = list(VideoFileSource(camera(path, realtime=True)))
    assert 0.45 <= time.monotonic() - begin < 3.0
    assert abs((frames[-1].captured_at - wall).total_seconds() - 0.5) < 0.3


def test_closing_ends_realtime_at_once(tmp_path):
    path = write_film(tmp_path / "a.mp4", [picture(), picture(1)], times=[0, 600])
    source = VideoFileSource(camera(path, realtime=True))
    assert source.read(1.0) is not None
    threading.Timer(0.1, source.close).start()
    begin = time.monotonic()
    assert source.read(30.0) is None
    assert time.monotonic() - begin < 5.0
    assert source.ended


def test_corrupt_bytes_in_h264_are_counted_and_not_passed_on(tmp_path):
    rng = np.random.default_rng(2)
    images = [rng.integers(0, 255, (180, 320, 3), np.uint8) for _ in range(40)]
    images = [cv2.GaussianBlur(image, (0, 0), 3) for image in images]
    path = write_film(tmp_path / "a.mp4", images)
    good = {index: frame.image for index, frame in enumerate(VideoFileSource(camera(path, starts_at=START)))}
    with av.open(str(path)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    data = bytearray(path.read_bytes())
    chance = random.Random(4)
    position, size = packets[13]
    for _ in range(20):
        data[position + 8 + chance.randrange(size - 8)] = chance.randrange(256)
    path.write_bytes(data)
    source = VideoFileSource(camera(path, starts_at=START))
    frames = {round((frame.captured_at - START).total_seconds() * 10): frame for frame in source}
    assert source.stats.broken_frames == 7
    assert sorted(frames) == [*range(13), *range(20, 40)]
    for index, frame in frames.items():
        assert np.abs(frame.image.astype(int) - good[index]).mean() < 0.01
    assert "broken frame" in source.stats.detail


def write_ts(path, images):
    height, width = images[0].shape[:2]
    with av.open(str(path), "w", format="mpegts") as container:
        options = {"preset": "ultrafast", "tune": "zerolatency"}
        stream = container.add_stream("libx264", rate=10, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode(None))
    return path.read_bytes()


def test_a_file_cut_off_in_the_middle_gives_what_is_whole(tmp_path):
    path = tmp_path / "a.ts"
    data = write_ts(path, [picture(seed) for seed in range(30)])
    path.write_bytes(data[: len(data) // 2])
    source = VideoFileSource(camera(path))
    assert 5 < len(list(source)) < 30
    assert source.ended


def test_a_resolution_that_changes_within_h264_is_counted_and_the_times_go_on(tmp_path):
    path = tmp_path / "a.ts"
    small = write_ts(path, [picture(seed) for seed in range(10)])
    large = write_ts(path, [picture(seed, 640, 360) for seed in range(10)])
    path.write_bytes(small + large)
    source = VideoFileSource(camera(path, starts_at=START))
    frames = list(source)
    sizes = [frame.image.shape[1] for frame in frames]
    assert sizes[0] == 320
    assert sizes[-1] == 640
    assert sizes == sorted(sizes)
    assert source.stats.size_changes == 1
    steps = [b - a for a, b in pairwise(frame.captured_at for frame in frames)]
    assert min(steps) > timedelta(seconds=0.05)


@pytest.mark.parametrize("content", [b"", b"this is no film"])
def test_a_file_that_is_no_video_is_a_clear_error(tmp_path, content):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(StreamNotOpened, match=r"a\.mp4 does not open: Invalid data"):
        VideoFileSource(camera(path))


def test_a_missing_file_is_a_clear_error(tmp_path):
    with pytest.raises(StreamNotOpened, match=r"nowhere\.mp4 does not open: there is no such file"):
        open_source(camera(tmp_path / "nowhere.mp4"))


def test_a_file_without_video_is_a_clear_error(tmp_path):
    path = tmp_path / "a.wav"
    with av.open(str(path), "w", format="wav") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(StreamNotOpened, match="no video in it"):
        VideoFileSource(camera(path))


def write_stills(folder, names):
    for index, name in enumerate(names):
        cv2.imwrite(str(folder / name), picture(index))
        os.utime(folder / name, (1_700_000_000, 1_700_000_000))


def test_a_folder_gives_every_picture_in_the_order_of_names(tmp_path):
    write_stills(tmp_path, ["b.png", "a.jpg", "c.bmp"])
    (tmp_path / "notes.txt").write_text("no picture")
    frames = list(StillsSource(camera(tmp_path, starts_at=START, frames_per_second=2)))
    assert seconds(frames) == [0.0, 0.5, 1.0]
    assert np.array_equal(frames[1].image, picture(0))
    assert [frame.number for frame in frames] == [0, 1, 2]


def test_stills_without_a_start_have_their_files_times_pushed_apart(tmp_path):
    write_stills(tmp_path, ["a.png", "b.png", "c.png"])
    os.utime(tmp_path / "c.png", (1_700_000_100, 1_700_000_100))
    frames = list(StillsSource(camera(tmp_path, frames_per_second=10)))
    start = datetime.fromtimestamp(1_700_000_000, UTC)
    assert [frame.captured_at - start for frame in frames] == [
        timedelta(0), timedelta(seconds=0.1), timedelta(seconds=100),
    ]  # fmt: skip


def test_corrupt_pictures_are_counted_and_named_and_the_others_given(tmp_path, caplog):
    write_stills(tmp_path, ["a.jpg", "b.jpg", "c.jpg", "d.png", "e.png"])
    data = (tmp_path / "b.jpg").read_bytes()
    (tmp_path / "b.jpg").write_bytes(data[: len(data) * 2 // 3])
    (tmp_path / "c.jpg").write_bytes(b"")
    data = (tmp_path / "d.png").read_bytes()
    (tmp_path / "d.png").write_bytes(data[: len(data) // 2])
    source = StillsSource(camera(tmp_path, starts_at=START))
    frames = list(source)
    assert [frame.number for frame in frames] == [0, 4]
    assert source.stats.broken_frames == 3
    assert source.stats.broken_names == ("b.jpg", "c.jpg", "d.png")
    assert "b.jpg cannot be used: the picture is cut off" in caplog.text


def test_stills_of_other_sizes_are_counted(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), picture())
    cv2.imwrite(str(tmp_path / "b.png"), picture(width=640, height=360))
    source = StillsSource(camera(tmp_path))
    assert [frame.image.shape[1] for frame in source] == [320, 640]
    assert source.stats.size_changes == 1


def test_a_folder_without_pictures_is_a_clear_error(tmp_path):
    with pytest.raises(NoPictures, match="there is no picture in this folder"):
        open_source(camera(tmp_path))


@pytest.mark.parametrize(
    "data", [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff\xda\xff\xd9"]
)
def test_bytes_that_are_no_picture_are_an_answer_not_an_error(data):
    still = Still.decode(data)
    assert still.image is None
    assert still.problem


def test_a_grey_picture_is_given_in_colour(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), picture()[:, :, 0])
    assert Still.read(tmp_path / "a.png").image.shape == (180, 320, 3)


def test_the_url_decides_the_source(tmp_path):
    path = write_film(tmp_path / "a.mp4", [picture()] * 2)
    assert isinstance(open_source(camera(path)), VideoFileSource)
    write_stills(tmp_path, ["a.png"])
    assert isinstance(open_source(camera(tmp_path)), StillsSource)
    live = open_source(camera("rtsp://127.0.0.1:1/x"))
    assert isinstance(live, LiveSource)
    live.close()
