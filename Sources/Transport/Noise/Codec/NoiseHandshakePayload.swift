import DIGNet
import SwiftProtobuf

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What libp2p sends inside the second and third handshake message (libp2p specs, noise, "libp2p Data in Handshake Messages").
struct NoiseHandshakePayload: Hashable, Sendable {
    /// Goes before the static key in what the identity key signs.
    static let signaturePrefix = "noise-libp2p-static-key:"
    /// Ours: the most multiplexers taken from a peer's list.
    static let maximumMuxers = 32

    /// A protobuf-encoded public key.
    var identityKey: [UInt8]
    var identitySignature: [UInt8]
    /// Empty if the sender does not negotiate its multiplexer early.
    var muxers: [ProtocolID]

    init(identityKey: [UInt8], identitySignature: [UInt8], muxers: [ProtocolID]) {
        self.identityKey = identityKey
        self.identitySignature = identitySignature
        self.muxers = muxers
    }

    init(decoding bytes: [UInt8]) throws(NoiseError) {
        let message: ProtoNoiseHandshakePayload
        do {
            message = try ProtoNoiseHandshakePayload(serializedBytes: bytes)
        } catch {
            throw .invalidPayload
        }
        guard message.hasIdentityKey, message.hasIdentitySig else { throw .invalidPayload }
        self.identityKey = Array(message.identityKey)
        self.identitySignature = Array(message.identitySig)
        self.muxers = message.extensions.streamMuxers.prefix(Self.maximumMuxers).map { ProtocolID($0) }
    }

    func encoded() throws(NoiseError) -> [UInt8] {
        var message = ProtoNoiseHandshakePayload()
        message.identityKey = Data(self.identityKey)
        message.identitySig = Data(self.identitySignature)
        if !self.muxers.isEmpty { message.extensions.streamMuxers = self.muxers.map(\.rawValue) }
        do {
            return try message.serializedBytes()
        } catch {
            throw .invalidPayload
        }
    }

    /// What the identity key signs to vouch for a static key.
    static func signedBytes(staticKey: some Sequence<UInt8>) -> [UInt8] {
        Array(self.signaturePrefix.utf8) + staticKey
    }
}
