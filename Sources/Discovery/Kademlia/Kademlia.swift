public import DIGNet

/// A distributed hash table: which peers have what a key stands for, and small signed values (libp2p specification kad-dht r2).
public enum Kademlia {
    /// The public network of libp2p and IPFS.
    public static let publicProtocolID: ProtocolID = "/ipfs/kad/1.0.0"
    /// The network of this software: provider records are signed, values belong to the peer that their key names.
    public static let digProtocolID: ProtocolID = "/dig/kad/1.0.0"

    /// Private networks that have their own tables, as other protocols have: `/dig/NAME/kad/1.0.0`.
    ///
    /// - Parameter name: Letters, digits, `-`, `_` and `.`; 1 to 64 of them.
    /// - Throws: ``KademliaError`` `.invalidConfiguration`.
    public static func protocolID(network name: String) throws(KademliaError) -> ProtocolID {
        let isGood = name.utf8.allSatisfy {
            (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0) || [0x2d, 0x2e, 0x5f].contains($0)
        }
        guard isGood, (1...64).contains(name.utf8.count) else {
            throw KademliaError(.invalidConfiguration, "a network's name has 1 to 64 letters, digits, '-', '_' and '.'")
        }
        return ProtocolID("/dig/\(name)/kad/1.0.0")
    }
}
