// PNG files with a manifest, exact to the last bit: a canvas would lose colors under transparency, and keep no text.

const table = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n >>> 0;
});

function chunk(kind, data) {
  const found = new Uint8Array(12 + data.length), view = new DataView(found.buffer);
  view.setUint32(0, data.length);
  found.set(new TextEncoder().encode(kind), 4);
  found.set(data, 8);
  let crc = 0xffffffff;
  for (let i = 4; i < 8 + data.length; i++) crc = table[(crc ^ found[i]) & 255] ^ (crc >>> 8);
  view.setUint32(8 + data.length, ~crc >>> 0);
  return found;
}

/** Rows, each less what the one above it has: what is left is small, and compresses. */
function filtered(pixels, bytes, height) {
  const found = new Uint8Array((bytes + 1) * height);
  for (let y = 0; y < height; y++) {
    const to = y * (bytes + 1), from = y * bytes;
    found[to] = 2;
    for (let x = 0; x < bytes; x++) found[to + 1 + x] = pixels[from + x] - (y ? pixels[from - bytes + x] : 0);
  }
  return found;
}

/** `pixels`, 8 bits, of `channels` (3 or 4), as a PNG file with a text by the name "impasto". */
export async function png(pixels, width, height, channels, text) {
  const head = new Uint8Array(13), view = new DataView(head.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  head.set([8, channels === 4 ? 6 : 2, 0, 0, 0], 8);
  const rows = new Blob([filtered(pixels, width * channels, height)]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Blob([
    Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10),
    chunk("IHDR", head),
    chunk("sRGB", Uint8Array.of(0)),
    chunk("iTXt", new TextEncoder().encode(`impasto\0\0\0\0\0${text}`)),
    chunk("IDAT", new Uint8Array(await new Response(rows).arrayBuffer())),
    chunk("IEND", new Uint8Array()),
  ], { type: "image/png" });
}
