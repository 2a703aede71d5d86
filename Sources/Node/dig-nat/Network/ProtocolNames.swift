import DIGNet

/// What a peer is good for, by the protocols it speaks.
enum ProtocolNames {
    private static let words: [(id: ProtocolID, word: String)] = [
        ("/dig/transfer/1.0.0", "files"), ("/dig/kad/1.0.0", "dht"), ("/ipfs/kad/1.0.0", "public-dht"), ("/dig/pex/1.0.0", "pex"),
        ("/meshsub/1.1.0", "gossip"), ("/meshsub/1.0.0", "gossip"), ("/libp2p/circuit/relay/0.2.0/hop", "relay"), ("/libp2p/dcutr", "punching"),
        ("/libp2p/autonat/2/dial-request", "autonat"), ("/libp2p/autonat/1.0.0", "autonat"),
    ]

    /// - Parameter network: The protocol of a private network's DHT.
    /// - Returns: Each word once, in the order above; what this software does not speak is left out.
    static func features(_ protocols: [ProtocolID], network: ProtocolID? = nil) -> [String] {
        let spoken = Set(protocols)
        var features: [String] = []
        for (id, word) in self.words where spoken.contains(id) || (word == "dht" && network.map(spoken.contains) == true) {
            if !features.contains(word) { features.append(word) }
        }
        return features
    }
}
