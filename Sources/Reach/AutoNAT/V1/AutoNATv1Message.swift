import DIGMultiformats

/// What is said on a stream of ``AutoNAT/protocolID`` (autonat v1, "RPC messages").
enum AutoNATv1Message: Hashable, Sendable {
    /// Asks to be dialed.
    ///
    /// - peer: The asker's id as it gives it; not proven by this message.
    /// - addresses: In order; those that can't be read are left out.
    case dial(peer: [UInt8]?, addresses: [Multiaddr])
    case response(AutoNATv1Response)
}

struct AutoNATv1Response: Hashable, Sendable {
    enum Status: Hashable, Sendable {
        /// One of the addresses was dialed with success.
        case ok
        /// All dials failed.
        case dialError
        /// None of the addresses may be dialed.
        case dialRefused
        case badRequest
        case internalError
    }

    var status: Status
    /// For a person.
    var text: String?
    /// The one dialed.
    var address: Multiaddr?

    init(_ status: Status, text: String? = nil, address: Multiaddr? = nil) {
        self.status = status
        self.text = text
        self.address = address
    }
}
