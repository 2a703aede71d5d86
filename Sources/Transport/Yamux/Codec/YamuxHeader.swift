/// The twelve bytes before each frame.
///
/// ```
///   0        1        2                 4                                   8                                   12
///   ┌────────┬────────┬─────────────────┬───────────────────────────────────┬───────────────────────────────────┐
///   │version │  kind  │      flags      │             stream id             │              length               │
///   └────────┴────────┴─────────────────┴───────────────────────────────────┴───────────────────────────────────┘
/// ```
/// hashicorp/yamux spec, "Framing": all fields big-endian, version 0. Only a data frame has bytes after the header.
struct YamuxHeader: Hashable, Sendable {
    enum Kind: UInt8, Hashable, Sendable, CaseIterable {
        /// `length` bytes follow.
        case data = 0
        /// `length` more bytes may be sent on the stream.
        case windowUpdate = 1
        /// `length` is echoed.
        case ping = 2
        /// `length` is a ``YamuxGoAwayCode``.
        case goAway = 3
    }

    static let byteCount = 12
    static let version: UInt8 = 0
    /// The stream id that stands for the connection itself: pings and go-aways.
    static let sessionID: UInt32 = 0

    var kind: Kind
    var flags: YamuxFlags = []
    var streamID: UInt32
    /// Bytes, credit, an opaque value or a code, depending on ``kind``.
    var length: UInt32

    /// How many bytes follow the header.
    var bodyByteCount: UInt32 { self.kind == .data ? self.length : 0 }
}
