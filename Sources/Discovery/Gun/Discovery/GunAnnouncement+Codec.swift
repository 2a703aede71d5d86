import DIGIdentity
import DIGMultiformats

extension GunAnnouncement {
    /// Signs it.
    ///
    /// - Throws: ``GunError`` `.tooLong`, or ``DIGIdentity/IdentityError``.
    func text(signedWith keyPair: KeyPair) throws -> String {
        guard self.hash.count == Self.hashByteCount, (self.contentID ?? "").utf8.count <= Self.maximumContentIDByteCount else {
            throw GunError(.tooLong, "a hash has \(Self.hashByteCount) bytes, a name at most \(Self.maximumContentIDByteCount)")
        }
        guard self.peer == keyPair.peerID else { throw GunError(.refused, "only \(self.peer) can sign its announcement") }
        var members: [ExactText: GunJSON] = [
            "peerId": .string(ExactText("\(self.peer)")), "hash": .string(ExactText(Base16.encode(self.hash))), "available": .bool(self.isAvailable),
            "timestamp": .number(Double(self.timestampMilliseconds)), "ttl": .number(self.lifetime / .milliseconds(1)),
        ]
        members["port"] = self.port.map { .number(Double($0)) }
        members["contentId"] = self.contentID.map { .string(ExactText($0)) }
        var addresses = self.addresses.prefix(Self.maximumAddressCount)
        while true {
            members["addresses"] = .array(addresses.map { .string(ExactText("\($0)")) })
            let envelope = try SignedEnvelope.seal(
                domain: Self.domain, payloadType: Self.payloadType, payload: GunJSONWriter.bytes(.object(members)), with: keyPair)
            let text = Base64URL.encode(envelope.encoded)
            if text.utf8.count <= Self.maximumTextByteCount { return text }
            guard !addresses.isEmpty else { throw GunError(.tooLong, "an announcement that peers do not take") }
            addresses.removeLast()
        }
    }

    /// Reads and checks the text of an announcement: signature, signer, ranges. Nil for what is none.
    init?(text: String) {
        guard text.utf8.count <= Self.maximumTextByteCount else { return nil }
        do {
            let envelope = try SignedEnvelope(decoding: Base64URL.decode(text))
            // Signature first, content after.
            let payload = try envelope.open(domain: Self.domain, payloadType: Self.payloadType)
            let limits = GunJSONLimits(depth: 2, valueCount: 64, stringByteCount: 1_024, nameByteCount: 64)
            try self.init(GunJSONReader.read(payload, limits: limits))
            guard self.peer.matches(envelope.publicKey) else { return nil }
        } catch {
            return nil
        }
    }

    private struct Malformed: Error {}

    private init(_ json: GunJSON) throws {
        guard let peer = json["peerId"]?.text, let hash = json["hash"]?.text, case .bool(let isAvailable)? = json["available"],
            case .number(let timestamp)? = json["timestamp"], let timestampMilliseconds = UInt64(exactly: timestamp), timestampMilliseconds < 1 << 53,
            case .number(let lifetime)? = json["ttl"], lifetime.isFinite, lifetime >= 0
        else { throw Malformed() }
        let bytes = try Base16.decode(hash.string)
        guard bytes.count == Self.hashByteCount, Base16.encode(bytes) == hash.string else { throw Malformed() }
        var port: UInt16?
        switch json["port"] {
        case nil, .null?: break
        case .number(let number)?:
            guard let value = UInt16(exactly: number) else { throw Malformed() }
            port = value
        default: throw Malformed()
        }
        var contentID: String?
        switch json["contentId"] {
        case nil, .null?: break
        case .string(let text)? where text.byteCount <= Self.maximumContentIDByteCount: contentID = text.string
        default: throw Malformed()
        }
        var addresses: [Multiaddr] = []
        switch json["addresses"] {
        case nil, .null?: break
        case .array(let elements)? where elements.count <= Self.maximumAddressCount:
            // Those of protocols that are not known here are left out.
            addresses = elements.compactMap { element in
                guard let text = element.text else { return nil }
                do { return try Multiaddr(text.string) } catch { return nil }
            }
        default: throw Malformed()
        }
        self.init(
            peer: try PeerID(peer.string), hash: bytes, port: port, contentID: contentID, isAvailable: isAvailable, addresses: addresses,
            timestampMilliseconds: timestampMilliseconds, lifetime: .milliseconds(min(lifetime, Self.lifetimeRange.upperBound / .milliseconds(1))))
    }
}
