import DIGIdentity
import DIGMultiformats

/// What a server does with a message of version 1.
enum AutoNATv1Request: Hashable {
    case dial([Multiaddr])
    case respond(AutoNATv1Response)

    /// - Parameters:
    ///   - peer: The asker, proven by the connection.
    ///   - observed: Where the asker comes from; nil on a relayed connection, which says nothing about it.
    init(_ message: AutoNATv1Message, from peer: PeerID, observed: Multiaddr?, policy: DialBackPolicy, maximumDialedAddresses: Int) {
        guard case .dial(let named, let addresses) = message else {
            self = .respond(AutoNATv1Response(.badRequest, text: "no dial request"))
            return
        }
        guard named == nil || named == peer.bytes else {
            self = .respond(AutoNATv1Response(.badRequest, text: "the request names another peer"))
            return
        }
        // "implementations MUST NOT dial any multiaddress unless it is based on the IP address the requesting node is observed as"
        guard let observed, policy.isPublic(observed), let host = HostAddress(observed) else {
            self = .respond(AutoNATv1Response(.dialRefused, text: "requests from there are not served"))
            return
        }
        var seen: Set<Multiaddr> = []
        let accepted = addresses.filter { HostAddress($0) == host }.compactMap { policy.accepted($0, for: peer) }.filter { seen.insert($0).inserted }
        guard !accepted.isEmpty else {
            self = .respond(AutoNATv1Response(.dialRefused, text: "none of the addresses is dialed"))
            return
        }
        self = .dial(Array(accepted.prefix(max(1, maximumDialedAddresses))))
    }
}
