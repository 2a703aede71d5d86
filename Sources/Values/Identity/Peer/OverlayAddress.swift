import Crypto
public import DIGMultiformats

/// A name of a peer that looks like an IPv6 address of `fd00::/8` ("crypto-IPv6").
///
///     fd | first 15 bytes of SHA-256(SHA-256(tag) ‖ SHA-256(tag) ‖ peer id)     tag: dig-nat-tools/overlay-address/1
///
/// It is a name and nothing more: no packet goes there, nothing is hidden by it, and it never becomes a `Multiaddr`. Who has the peer's id
/// or key can check it; who has only the address has to ask for a peer and check the answer with ``names(_:)``. 120 bits are enough that
/// nobody finds a second peer for a given address; they are not enough to keep one person from making two peers with one address (2⁶⁰ attempts),
/// which harms nobody else.
public struct OverlayAddress: Hashable, Sendable {
    /// RFC 4193 §3.1: addresses that are assigned locally and routed nowhere.
    public static let firstByte: UInt8 = 0xfd

    /// To show it, and to compare it. Not to be dialed.
    public let address: IPv6Address

    /// The address of a peer.
    public init(_ peer: PeerID) {
        let hash = TaggedHash.hash("dig-nat-tools/overlay-address/1", peer.bytes)
        func number(_ bytes: some Collection<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
        self.address = IPv6Address(high: number([Self.firstByte] + hash[..<7]), low: number(hash[7..<15]))
    }

    /// The address of the key's owner.
    public init(_ publicKey: PublicKey) { self.init(publicKey.peerID) }

    /// Takes an address that begins with `fd`; `nil` for all others.
    public init?(_ address: IPv6Address) {
        guard address.high >> 56 == UInt64(Self.firstByte) else { return nil }
        self.address = address
    }

    /// Whether it is the address of this peer.
    public func names(_ peer: PeerID) -> Bool { Self(peer) == self }

    /// Whether it is the address of this key's owner.
    public func names(_ publicKey: PublicKey) -> Bool { Self(publicKey) == self }
}

extension OverlayAddress: LosslessStringConvertible {
    /// Parses the forms of RFC 4291 §2.2.
    public init?(_ description: String) {
        guard let address = IPv6Address(description) else { return nil }
        self.init(address)
    }

    /// As RFC 5952 writes it.
    public var description: String { self.address.description }
}
