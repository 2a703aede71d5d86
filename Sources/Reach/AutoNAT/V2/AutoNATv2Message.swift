import DIGMultiformats

/// What is said on a stream of ``AutoNAT/dialRequestProtocolID`` (autonat v2, "RPC Messages").
enum AutoNATv2Message: Hashable, Sendable {
    case dialRequest(AutoNATv2DialRequest)
    case dialResponse(AutoNATv2DialResponse)
    /// The server asks for bytes before it dials the address at `index`.
    case dialDataRequest(index: Int, byteCount: Int)
    /// Bytes that only cost something.
    case dialData(byteCount: Int)
}

struct AutoNATv2DialRequest: Hashable, Sendable {
    /// The most wanted first. Nil where an address can't be read: the answer counts places.
    var addresses: [Multiaddr?]
    var nonce: UInt64
}

struct AutoNATv2DialResponse: Hashable, Sendable {
    enum Status: Hashable, Sendable {
        case internalError
        /// Too many requests.
        case requestRejected
        /// None of the addresses can or may be dialed.
        case dialRefused
        /// An address was dialed; how that went is in ``dialStatus``.
        case ok
    }

    enum DialStatus: Hashable, Sendable {
        case unused
        case dialError
        /// Connected, but the nonce could not be delivered.
        case dialBackError
        case ok
    }

    var status: Status
    /// The place of the address dialed in the request; means something with `.ok` only.
    var index: Int
    var dialStatus: DialStatus

    init(_ status: Status, index: Int = 0, dialStatus: DialStatus = .unused) {
        self.status = status
        self.index = index
        self.dialStatus = dialStatus
    }
}
