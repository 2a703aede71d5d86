extension Multihash {
    /// libp2p peer-ids, "Peer Ids": the longest key that an id holds unhashed.
    package static let maximumInlineKeyByteCount = 42

    /// The multicodec of a libp2p public key, the only one a peer's CID may have.
    private static let libp2pKeyCodec: UInt64 = 0x72

    /// Whether this can name a peer: the SHA-256 of a key, or a short key itself (libp2p peer-ids, "Peer Ids").
    package var canNamePeer: Bool {
        switch self.code {
        case .identity: !self.digest.isEmpty && self.digest.count <= Self.maximumInlineKeyByteCount
        case .sha2_256: self.digest.count == 32
        default: false
        }
    }

    /// Decodes a peer's name: base 58 (`12D3…`, `Qm…`, `16Uiu2…`), or a CIDv1 with the libp2p-key codec in any
    /// multibase (libp2p peer-ids, "Decoding").
    package init(peerText text: String) throws(PeerTextError) {
        let bytes: [UInt8]
        // libp2p peer-ids, "Decoding": text that starts with "1" or "Qm" is a bare base58btc multihash.
        if text.hasPrefix("1") || text.hasPrefix("Qm") {
            do throws(MultibaseError) { bytes = try Base58BTC.decode(text) } catch { throw .invalidText(error) }
        } else {
            guard text.utf8.count <= Base58BTC.maximumDigitCount else { throw .invalidText(.tooLong) }
            let cid: [UInt8]
            do throws(MultibaseError) { cid = try Multibase.decode(text).bytes } catch { throw .invalidText(error) }
            bytes = try Self.multihashBytes(ofCID: cid)
        }
        do throws(MultihashError) { self = try Multihash(bytes: bytes) } catch { throw .invalidMultihash(error) }
        guard self.canNamePeer else { throw .notAPeer }
    }

    /// The multihash inside a CIDv1 of a libp2p key.
    private static func multihashBytes(ofCID cid: [UInt8]) throws(PeerTextError) -> [UInt8] {
        let version: (value: UInt64, byteCount: Int)
        let codec: (value: UInt64, byteCount: Int)
        do throws(VarintError) {
            version = try UnsignedVarint.decode(cid)
            codec = try UnsignedVarint.decode(cid.dropFirst(version.byteCount))
        } catch {
            throw .notAKey
        }
        guard version.value == 1, codec.value == Self.libp2pKeyCodec else { throw .notAKey }
        return Array(cid.dropFirst(version.byteCount + codec.byteCount))
    }
}
