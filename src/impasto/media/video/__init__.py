"""Moving pictures: files, sequences of pictures and cameras in, frame by frame; files and sequences out.

Files go through PyAV, cameras through OpenCV, sequences and animated WebP through Pillow. A frame is `(1, 3, H, W)`,
RGB in [0, 1], like a still picture, with the time at which it is shown; so a file with frames at uneven times, or a
camera that is slow, keeps its pace.
"""

from impasto.media.video.reading import Video
from impasto.media.video.records import Frame, Loss
from impasto.media.video.writing import VideoWriter, check_video_output

__all__ = ["Frame", "Loss", "Video", "VideoWriter", "check_video_output"]
