/**
 * Blosc 1 container (c-blosc `README_CHUNK_FORMAT.rst`): 16-byte header
 * `02 <codec version> flags typesize | nbytes u32 | blocksize u32 | cbytes u32`, block offsets u32, then per block
 * and stream `i32 csize` and the compressed bytes; csize equal to the stream's size means stored.
 */
export const BLOSC_HEADER_BYTES = 16;
export const BLOSC_FORMAT_VERSION = 2;
export const FLAG_SHUFFLE = 0x01;
export const FLAG_MEMCPYED = 0x02;
export const FLAG_BITSHUFFLE = 0x04;
export const FLAG_DO_NOT_SPLIT = 0x10;
/** c-blosc splits a block only where each stream has this many bytes (`MIN_BUFFERSIZE`). */
export const MIN_STREAM_BYTES = 128;
/** c-blosc never splits into more streams than this (`MAX_SPLITS`). */
export const MAX_SPLITS = 16;
