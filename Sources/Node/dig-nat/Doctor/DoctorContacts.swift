import DIGIdentity
import DIGMultiformats
import DIGNatTools
import DIGNet
import DIGTraversal

/// The relays and first contacts that were named, and what each of them is to show.
struct DoctorContacts: Hashable, Sendable {
    struct Contact: Hashable, Sendable {
        var peer: PeerID
        var addresses: [Multiaddr]
    }

    /// In the order in which they were named, relays first.
    let all: [Contact]
    /// Whom this node asks before it has sent it anything from the port listened on. If that one gets through, strangers do: a NAT that filters
    /// by address (RFC 4787 §5) lets in those whom it knows, which all the others are. It takes two, because somebody has to say what to ask about.
    let stranger: PeerID?
    /// Those that the doctor connects to in place of the node.
    private let examined: Set<PeerID>

    init(_ configuration: NodeConfiguration) {
        var all: [Contact] = []
        for address in configuration.traversal.relays + configuration.discovery.bootstrapPeers {
            guard let peer = address.peerID else { continue }
            let address = address.removingPeerID()
            if let index = all.firstIndex(where: { $0.peer == peer }) {
                if !all[index].addresses.contains(address) { all[index].addresses.append(address) }
            } else {
                all.append(Contact(peer: peer, addresses: [address]))
            }
        }
        self.all = all
        let policy = configuration.traversal.addressPolicy
        let outside = all.filter { $0.addresses.contains { policy.isPublic($0) } }
        self.examined = Set(outside.map(\.peer))
        self.stranger =
            outside.count < 2
            ? nil
            : outside.last { contact in
                let hosts = Set(contact.addresses.compactMap(\.components.first))
                return all.allSatisfy { $0.peer == contact.peer || hosts.isDisjoint(with: $0.addresses.compactMap(\.components.first)) }
            }?.peer
    }

    /// Has the node leave the connections to the doctor, and believe those who were named by hand.
    func prepare(_ configuration: inout NodeConfiguration) {
        func isExamined(_ address: Multiaddr) -> Bool { address.peerID.map(self.examined.contains) ?? false }
        configuration.traversal.relays.removeAll(where: isExamined)
        configuration.discovery.bootstrapPeers.removeAll(where: isExamined)
        guard !self.examined.isEmpty else { return }
        configuration.traversal.minimumObservers = min(configuration.traversal.minimumObservers, max(1, self.examined.count - (self.stranger == nil ? 0 : 1)))
        configuration.traversal.minimumMappingObservers = 2
    }
}
