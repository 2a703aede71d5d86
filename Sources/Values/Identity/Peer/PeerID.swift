import Crypto
public import DIGMultiformats

/// The name of a peer: the multihash of its public key (libp2p peer-ids).
public struct PeerID: Hashable, Sendable, CustomStringConvertible {
    /// The multihash: the key itself when it is short, its SHA-256 otherwise.
    public let bytes: [UInt8]

    /// Takes a multihash that can name a peer: SHA-256, or identity of at most 42 bytes.
    public init(multihash: Multihash) throws(IdentityError) {
        guard multihash.canNamePeer else { throw IdentityError(.invalidPeerID, "the multihash names no peer") }
        self.bytes = multihash.bytes
    }

    /// Takes the binary form.
    public init(bytes: some Collection<UInt8>) throws(IdentityError) {
        let multihash: Multihash
        do throws(MultihashError) { multihash = try Multihash(bytes: bytes) } catch {
            throw IdentityError(.invalidPeerID, "not a peer id: \(error)")
        }
        try self.init(multihash: multihash)
    }

    /// Takes either text form: base 58 (`12D3KooW…`, `Qm…`) or a CIDv1 of a libp2p key (`bafz…`, `k51…`).
    public init(_ string: String) throws(IdentityError) {
        let multihash: Multihash
        do throws(PeerTextError) { multihash = try Multihash(peerText: string) } catch {
            throw IdentityError(.invalidPeerID, "\"\(string.prefix(80))\" is not a peer id: \(error)")
        }
        self.bytes = multihash.bytes
    }

    /// Names the owner of `publicKey`.
    public init(publicKey: PublicKey) {
        let encoded = publicKey.protobufEncoded
        let multihash =
            encoded.count <= Multihash.maximumInlineKeyByteCount
            ? Multihash(code: .identity, digest: encoded)
            : Multihash(code: .sha2_256, digest: Array(SHA256.hash(data: encoded)))
        self.bytes = multihash.bytes
    }

    public var multihash: Multihash {
        // Codes and lengths of a peer's multihash are below 128: one byte each.
        Multihash(code: Multihash.Code(rawValue: UInt64(self.bytes[0])), digest: Array(self.bytes.dropFirst(2)))
    }

    /// The key, when the id holds it whole; `nil` when it holds a hash only.
    public var publicKey: PublicKey? {
        let multihash = self.multihash
        guard multihash.code == .identity else { return nil }
        do throws(IdentityError) { return try PublicKey(protobufEncoded: multihash.digest) } catch { return nil }
    }

    /// Whether `publicKey` is the key of this peer.
    public func matches(_ publicKey: PublicKey) -> Bool { PeerID(publicKey: publicKey) == self }

    /// Base 58.
    public var description: String { Base58BTC.encode(self.bytes) }

    /// The text form that is a CID: base 32, version 1, libp2p-key.
    public var cid: String { Multibase.base32.encode([0x01, 0x72] + self.bytes) }
}

extension PeerID: Comparable {
    /// By bytes.
    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.bytes.lexicographicallyPrecedes(rhs.bytes) }
}

extension PeerID: Codable {
    /// Reads either text form.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        do throws(IdentityError) {
            try self.init(text)
        } catch {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: error.message)
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(self.description)
    }
}
