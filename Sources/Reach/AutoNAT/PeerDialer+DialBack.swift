import DIGIdentity
import DIGMultiformats
import DIGNet

extension PeerDialer {
    /// Connects anew, from a port that nobody has seen, at nothing but one of `addresses`.
    func dialBack(_ peer: PeerID, at addresses: [Multiaddr], timeout: Duration) async throws -> any Connection {
        var options = DialOptions()
        options.purpose = .dialBack
        options.requiresDirect = true
        options.requiresNew = true
        options.source = .stranger
        options.timeout = timeout
        return try await self.connect(to: peer, addresses: addresses, options: options)
    }
}

extension Error {
    /// Whether a dial failed because of this node, so that it says nothing about the address.
    var isOurs: Bool {
        switch self {
        case let error as ConnectionError: [.closed, .limitExceeded].contains(error.code)
        default: self is CancellationError
        }
    }
}
