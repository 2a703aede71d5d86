/// Which chunks a host holds.
enum BitfieldPart: Hashable, Sendable {
    case complete
    /// The chunks from `first`, a multiple of 8, in the bit order of ``ChunkBitmap``. A long bitmap comes in several parts.
    case part(first: UInt32, bits: [UInt8])
}
