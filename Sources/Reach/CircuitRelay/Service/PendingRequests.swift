import DIGIdentity

/// Counts the requests that are not answered yet: of each peer, of each network, and in all.
struct PendingRequests {
    private let configuration: RelayServiceConfiguration
    private var ofPeer: [PeerID: Int] = [:]
    private var ofNetwork: [NetworkOrigin.Network: Int] = [:]
    private var count = 0

    init(_ configuration: RelayServiceConfiguration) { self.configuration = configuration }

    /// Counts a request until it is ``answered(_:from:)``, unless there are too many.
    ///
    /// - Parameter origin: Where the peer comes from; nil for this machine.
    mutating func admit(_ peer: PeerID, from origin: NetworkOrigin?) -> Bool {
        guard
            self.count < self.configuration.maximumPendingRequests, self.ofPeer[peer, default: 0] < self.configuration.maximumPendingRequestsPerPeer,
            origin.map({ self.ofNetwork[$0.address, default: 0] < self.configuration.maximumPendingRequestsPerAddress }) ?? true
        else { return false }
        self.count += 1
        self.ofPeer[peer, default: 0] += 1
        if let origin { self.ofNetwork[origin.address, default: 0] += 1 }
        return true
    }

    mutating func answered(_ peer: PeerID, from origin: NetworkOrigin?) {
        self.count -= 1
        let left = self.ofPeer[peer, default: 0] - 1
        self.ofPeer[peer] = left > 0 ? left : nil
        guard let origin else { return }
        let leftOfNetwork = self.ofNetwork[origin.address, default: 0] - 1
        self.ofNetwork[origin.address] = leftOfNetwork > 0 ? leftOfNetwork : nil
    }
}
