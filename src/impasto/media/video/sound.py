"""The sound of one file on its way into another, in step with the pictures; as it is where that can be, or encoded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import chain, pairwise
from typing import Any

from impasto.media.video.decoding import Clock, File, opened, sound_of
from impasto.media.video.reading import Video
from impasto.media.video.records import SLACK, Tell
from impasto.optional import needed

COMMON = ("aac", "mp3", "ac3", "eac3", "alac")
PCM = ("pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le")
#: Codecs that formats hold so that players play them, by FFmpeg's names of formats.
HELD = {
    "mp4": (*COMMON, "opus", "flac"),
    "mov": (*COMMON, *PCM, "pcm_s16be", "pcm_s24be", "pcm_alaw", "pcm_mulaw"),
    "matroska": (*COMMON, *PCM, "pcm_u8", "opus", "flac", "vorbis", "mp2", "dts", "truehd"),
    "webm": ("opus", "vorbis"),
}
#: Seconds of sound before the first picture that let decoders begin well, where a format can hide them.
LEAD = Fraction(1, 20)
AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)


class Sound:
    """Sound beside pictures whose times begin with 0 at the first one of the source's cut.

    Args:
        source: the video; of no sound if it is a camera, a sequence or silent.
        target: PyAV's container, in which a stream is made.
        tell: told if sound is encoded.
    """

    def __init__(self, source: Video, target: Any, tell: Tell) -> None:
        self._source, self._to, self._from = source, target, None
        self._packets: Iterator[tuple[Any, Fraction]] = iter(())
        if not isinstance(source.opened(), File):
            return
        self._from = opened(source.source)
        stream = sound_of(self._from)
        if stream is not None:
            self._packets = self._begun(stream, tell)

    def _begun(self, stream: Any, tell: Tell) -> Iterator[tuple[Any, Fraction]]:
        """Make a stream like this one; the packets for it, with their times."""
        held = HELD[self._to.format.name]
        codec = stream.codec_context.codec.canonical_name
        origin, zero = self._source.first()
        end = None if self._source.end is None else origin + Fraction(self._source.end)
        if codec in held:
            out = self._to.add_stream_from_template(stream)
            packets = self._copied(stream, out, zero, end)
        else:
            out = self._encoder(stream, "aac" if "aac" in held else "libopus")
            new = out.codec_context.codec.canonical_name
            tell(f"the sound, {codec}, does not fit into {self._to.format.name}: it is encoded as {new}")
            packets = self._encoded(stream, out, zero, end)
        if language := stream.metadata.get("language"):
            out.metadata["language"] = language
        return packets

    def _read(self, stream: Any) -> Iterator[Any]:
        errors = needed("av", "video").FFmpegError
        packets = Clock(self._from).packets()
        while True:
            try:
                packet = next(packets, None)
            except errors:
                return
            if packet is None:
                return
            if packet.stream.index == stream.index and packet.pts is not None and packet.size:
                yield packet

    def _copied(self, stream: Any, out: Any, zero: Fraction, end: Fraction | None) -> Iterator[tuple[Any, Fraction]]:
        hides = self._to.format.name in ("mp4", "mov")
        framed, last = None, None
        if stream.codec_context.codec.canonical_name == "aac" and not stream.codec_context.extradata:
            # Transport streams' AAC; FFmpeg's own change of it is left out where an MP4's beginning is written late.
            framed = needed("av", "video").bitstream.BitStreamFilterContext("aac_adtstoasc", stream)
        for packet in self._read(stream):
            base = packet.time_base
            time, lasts = packet.pts * base, (packet.duration or 0) * base
            if time + lasts <= zero - (LEAD if hides else 0) + SLACK:
                continue
            if end is not None and time >= end - SLACK:
                return
            packet.pts -= round(zero / base)
            packet.dts = packet.pts if last is None else max(packet.pts, last + 1)
            packet.pts = last = packet.dts
            for ready in [packet] if framed is None else framed.filter(packet):
                ready.stream = out
                yield ready, time - zero

    def _encoder(self, stream: Any, codec: str) -> Any:
        context = stream.codec_context
        rate = context.sample_rate if codec == "aac" and context.sample_rate in AAC_RATES else 48_000
        layout = "mono" if context.layout.nb_channels == 1 else "stereo"
        out = self._to.add_stream(codec, rate=rate, layout=layout)
        out.bit_rate = 96_000 * (1 if layout == "mono" else 2)
        return out

    def _encoded(self, stream: Any, out: Any, zero: Fraction, end: Fraction | None) -> Iterator[tuple[Any, Fraction]]:
        context = out.codec_context
        limits = f"start={float(zero):.6f}" + ("" if end is None else f":end={float(end):.6f}")
        steps = {
            "atrim": limits,
            "asetpts": f"PTS-{float(zero):.6f}/TB",
            "aresample": "async=1:first_pts=0",  # silence in gaps and before a late beginning
            "aformat": f"sample_fmts={context.format.name}:sample_rates={context.sample_rate}"
            f":channel_layouts={context.layout.name}",
        }
        for frame in self._filtered(stream, steps):
            for packet in out.encode(frame):
                yield packet, packet.pts * packet.time_base

    def _filtered(self, stream: Any, steps: dict[str, str]) -> Iterator[Any]:
        """The decoded sound through filters, and None at the end; damaged packets become silence."""
        av = needed("av", "video")
        graph = None
        for frame in chain(self._decoded(stream), [None]):
            if graph is None and frame is not None:
                graph = _graph(av, frame, stream.time_base, steps)
            if graph is None:
                break
            try:
                graph.push(frame)
            except av.error.EOFError:  # the cut has ended
                break
            with suppress(av.error.BlockingIOError, av.error.EOFError):
                while True:
                    yield graph.pull()
        yield None

    def _decoded(self, stream: Any) -> Iterator[Any]:
        for packet in chain(self._read(stream), [None]):
            with suppress(needed("av", "video").FFmpegError):
                yield from stream.decode(packet)

    def until(self, seconds: float | None) -> None:
        """Write what is heard up to that time; all if None."""
        for packet, time in self._packets:
            if seconds is not None and time > seconds:
                self._packets = chain([(packet, time)], self._packets)
                return
            self._to.mux(packet)

    def close(self) -> None:
        if self._from is not None:
            self._from.close()


def _graph(av: Any, frame: Any, clock: Fraction, steps: dict[str, str]) -> Any:
    """Filters for sound like that of a frame; a stream does not always know what it holds."""
    graph = av.filter.Graph()
    about = {"sample_rate": frame.sample_rate, "format": frame.format.name, "layout": frame.layout.name}
    nodes = [graph.add_abuffer(time_base=clock, **about), *(graph.add(*step) for step in steps.items())]
    nodes.append(graph.add("abuffersink"))
    for one, other in pairwise(nodes):
        one.link_to(other)
    graph.configure()
    return graph
