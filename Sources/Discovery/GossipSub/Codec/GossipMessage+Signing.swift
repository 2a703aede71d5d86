import DIGIdentity
import NIOCore

extension GossipMessage {
    /// Before the bytes that are signed (pubsub specification, "Message Signing").
    static let signaturePrefix = "libp2p-pubsub:"

    private var signedBytes: [UInt8] { Array(Self.signaturePrefix.utf8) + Array(GossipCodec.signedFields(of: self).readableBytesView) }

    /// Makes a message of the owner of `identity`.
    ///
    /// - Throws: `IdentityError` `.signingFailed`.
    static func signed(topic: String, data: [UInt8], sequence: UInt64, with identity: KeyPair) throws(IdentityError) -> Self {
        let peer = identity.peerID
        let number = withUnsafeBytes(of: sequence.bigEndian) { Array($0) }
        let unsigned = Self(publisher: peer, sequenceNumber: number, topic: topic, data: data)
        return Self(
            publisher: peer, sequenceNumber: number, topic: topic, data: data, signature: try identity.sign(unsigned.signedBytes),
            key: peer.publicKey == nil ? identity.publicKey.protobufEncoded : nil)
    }

    /// Whether the publisher has signed exactly this. A key that comes along must be the publisher's, also if its name holds the key.
    var isSigned: Bool {
        var publicKey = self.publisher.publicKey
        if let key = self.key {
            let given: PublicKey
            do throws(IdentityError) { given = try PublicKey(protobufEncoded: key) } catch { return false }
            guard self.publisher.matches(given) else { return false }
            publicKey = given
        }
        guard let publicKey else { return false }
        return publicKey.isValidSignature(self.signature, for: self.signedBytes)
    }

    /// Tells messages with the same name apart without keeping them: a publisher can sign two.
    var fingerprint: Int { self.signature.hashValue }

    /// What it takes in an RPC, at most.
    var byteCount: Int {
        self.data.count + self.topic.utf8.count + self.publisher.bytes.count + self.sequenceNumber.count + self.signature.count + (self.key?.count ?? 0) + 48
    }
}
