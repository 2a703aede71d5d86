public import DIGAnnouncement
public import DIGContent
public import DIGIdentity

extension SignedData {
    /// An announcement in the seed's form: `data: {hash, port, contentId, available, peerId}`.
    ///
    /// - Throws: ``AvailabilityError`` or `IdentityError`.
    public static func announcement(
        of content: ContentHash, port: UInt16?, contentID: String?, isAvailable: Bool, timestampMilliseconds: UInt64, with keyPair: KeyPair
    ) throws -> SignedData {
        var members = [SeedJSON.Member(key: "hash", value: .string(content.description))]
        if let port { members.append(.init(key: "port", value: .integer(Int64(port)))) }
        if let contentID { members.append(.init(key: "contentId", value: .string(contentID))) }
        members.append(.init(key: "available", value: .bool(isAvailable)))
        members.append(.init(key: "peerId", value: .string(keyPair.peerID.description)))
        return try SignedData(signing: members, timestampMilliseconds: timestampMilliseconds, with: keyPair)
    }

    /// What the record announces, once everything in it is found right. It holds for the seed's hour.
    ///
    /// - Throws: ``AvailabilityError``.
    public func announcement(names: RecordNames = .init(), nowMilliseconds now: UInt64) throws(AvailabilityError) -> ContentAnnouncement {
        guard let hash = self.data["hash"]?.string, let peerText = self.data["peerId"]?.string, case .bool(let isAvailable)? = self.data["available"] else { throw .malformed }
        var port: UInt16?
        switch self.data["port"] {
        case nil, .null?: break
        case .integer(let number)?:
            guard let exact = UInt16(exactly: number) else { throw .malformed }
            port = exact == 0 ? nil : exact
        default: throw .malformed
        }
        var contentID: String?
        switch self.data["contentId"] {
        case nil, .null?: break
        case .string(let text)?:
            guard text.utf8.count <= ContentAnnouncement.maximumContentIDByteCount else { throw .limitExceeded }
            contentID = text.isEmpty ? nil : text
        default: throw .malformed
        }
        guard peerText.utf8.count <= RecordNames.maximumTextByteCount else { throw .limitExceeded }
        let content = try names.contentHash(hash)
        guard self.timestampMilliseconds <= now.adding(ContentAnnouncement.maximumClockSkew.millisecondCount) else { throw .fromTheFuture }
        let lifetime: Duration = .seconds(3_600)
        guard self.timestampMilliseconds.adding(lifetime.millisecondCount) > now else { throw .expired }
        let key = try self.verifiedKey()
        guard RecordNames.names(peerText, key, writtenAs: self.publicKey) else { throw .wrongPeer }
        return ContentAnnouncement(
            peer: key.peerID, key: RendezvousKey(content), port: port, contentID: contentID, isAvailable: isAvailable,
            timestampMilliseconds: self.timestampMilliseconds, lifetime: lifetime)
    }
}
