/// Text that names no peer.
package enum PeerTextError: Error, Hashable, Sendable, CustomStringConvertible {
    case invalidText(MultibaseError)
    /// A CID, but not of version 1 with the libp2p-key codec.
    case notAKey
    case invalidMultihash(MultihashError)
    /// A multihash, but neither a SHA-256 nor a key of at most 42 bytes.
    case notAPeer

    package var description: String {
        switch self {
        case .invalidText(let error): "\(error)"
        case .notAKey: "a CID that is not of a libp2p key"
        case .invalidMultihash(let error): "\(error)"
        case .notAPeer: "the multihash names no peer"
        }
    }
}
