/// How a peer broke the protocol. The connection ends with a go-away.
enum YamuxViolation: Error, Hashable, Sendable {
    case unsupportedVersion(UInt8)
    case unknownFrameKind(UInt8)
    /// A ping or go-away that names a stream, or a stream frame that names none.
    case invalidStreamID(UInt32)
    /// A stream opened with an id that belongs to this side.
    case wrongParity(UInt32)
    /// A stream opened twice.
    case duplicateStream(UInt32)
    /// More bytes than the stream's window allowed.
    case windowExceeded(streamID: UInt32, byteCount: UInt32, credit: UInt32)
    /// A window update that takes the window past `UInt32.max`.
    case windowOverflow(streamID: UInt32)
    /// A body for a stream that is not open, longer than any window could have allowed.
    case oversizedBody(UInt32)
    /// Too many frames that cost work and carry nothing.
    case tooManyGlitches
    /// Control frames pile up because the peer asks and does not read the answers.
    case controlBacklog
}
