/// Bytes that cannot be the bitmap, or part of the bitmap, they should be.
public enum ChunkBitmapError: Error, Hashable, Sendable {
    case wrongLength(expected: Int, actual: Int)
    /// A bit after the last chunk is set.
    case paddingSet
    /// The part does not start at a whole byte of the bitmap.
    case outOfRange
}
