import Crypto
import DIGIdentity
import DIGNet

/// The libp2p handshake: Noise XX whose payloads prove the identities.
///
/// Call ``started()`` once, then ``received(_:)`` for each message without its length. After an error the machine is of no more use.
struct NoiseHandshakeStateMachine {
    enum Action {
        case send([UInt8])
        case complete(Session, sending: [UInt8]?)
    }

    /// What a finished handshake leaves behind.
    struct Session {
        var outbound: CipherState
        var inbound: CipherState
        var channel: SecuredChannel
    }

    /// Ours: the longest handshake message taken. An RSA identity of 8192 bits needs a quarter of it.
    static let maximumMessageLength = 8192

    private enum State {
        case idle
        /// The initiator awaits the second message.
        case awaitingResponder
        /// The responder awaits the first message, then the third.
        case awaitingEphemeral
        case awaitingInitiator
        case finished
    }

    private var noise: HandshakeState
    private var state = State.idle
    private let role: ConnectionRole
    private let identity: KeyPair
    private let staticPublicKey: [UInt8]
    private let expectedPeer: PeerID?
    private let muxers: [ProtocolID]

    /// - Parameters:
    ///   - expectedPeer: Whom to accept; `nil` accepts everyone and lets the caller look.
    ///   - muxers: Ours, the best first; empty leaves the multiplexer to multistream-select.
    init(
        role: ConnectionRole, identity: KeyPair, expecting expectedPeer: PeerID?, muxers: [ProtocolID],
        staticKey: HandshakeState.PrivateKey = .init(), ephemeralKey: HandshakeState.PrivateKey = .init()
    ) {
        self.role = role
        self.identity = identity
        self.expectedPeer = expectedPeer
        self.muxers = muxers
        self.staticPublicKey = Array(staticKey.publicKey.rawRepresentation)
        self.noise = HandshakeState(isInitiator: role == .dialer, staticKey: staticKey, ephemeralKey: ephemeralKey)
    }

    /// - Returns: The initiator's first message, whose payload is empty because nothing protects it.
    mutating func started() throws(NoiseError) -> [UInt8]? {
        guard case .idle = self.state else { throw .unexpectedMessage }
        switch self.role {
        case .dialer:
            self.state = .awaitingResponder
            return try self.noise.writeMessage(payload: [])
        case .listener:
            self.state = .awaitingEphemeral
            return nil
        }
    }

    mutating func received(_ message: [UInt8]) throws(NoiseError) -> Action {
        guard message.count <= Self.maximumMessageLength else { throw .tooLong }
        switch self.state {
        case .awaitingEphemeral:
            // Its payload is not authenticated and has no meaning in libp2p.
            _ = try self.noise.readMessage(message)
            self.state = .awaitingInitiator
            return .send(try self.noise.writeMessage(payload: self.payload()))

        case .awaitingResponder:
            let (payload, publicKey) = try self.readProof(message)
            let muxer = try Self.commonMuxer(initiator: self.muxers, responder: payload.muxers)
            // Only a peer that has proven to be the one expected learns who we are.
            let answer = try self.noise.writeMessage(payload: self.payload())
            self.state = .finished
            return .complete(self.session(with: publicKey, muxer: muxer), sending: answer)

        case .awaitingInitiator:
            let (payload, publicKey) = try self.readProof(message)
            let muxer = try Self.commonMuxer(initiator: payload.muxers, responder: self.muxers)
            self.state = .finished
            return .complete(self.session(with: publicKey, muxer: muxer), sending: nil)

        case .idle, .finished:
            throw .unexpectedMessage
        }
    }

    private func payload() throws(NoiseError) -> [UInt8] {
        let signature: [UInt8]
        do {
            signature = try self.identity.sign(NoiseHandshakePayload.signedBytes(staticKey: self.staticPublicKey))
        } catch {
            throw .signingFailed
        }
        return try NoiseHandshakePayload(
            identityKey: self.identity.publicKey.protobufEncoded, identitySignature: signature, muxers: self.muxers
        ).encoded()
    }

    /// Reads the message that proves who the peer is.
    private mutating func readProof(_ message: [UInt8]) throws(NoiseError) -> (NoiseHandshakePayload, PublicKey) {
        let payload = try NoiseHandshakePayload(decoding: self.noise.readMessage(message))
        guard let staticKey = self.noise.remoteStaticKey else { throw .unexpectedMessage }
        let publicKey: PublicKey
        do {
            publicKey = try PublicKey(protobufEncoded: payload.identityKey)
        } catch {
            throw .invalidIdentityKey
        }
        let signed = NoiseHandshakePayload.signedBytes(staticKey: staticKey.rawRepresentation)
        guard publicKey.isValidSignature(payload.identitySignature, for: signed) else { throw .invalidSignature }
        if let expectedPeer = self.expectedPeer {
            guard publicKey.peerID == expectedPeer else { throw .peerMismatch }
        }
        return (payload, publicKey)
    }

    private func session(with publicKey: PublicKey, muxer: ProtocolID?) -> Session {
        let (outbound, inbound) = self.noise.split()
        let channel = SecuredChannel(
            remotePeer: publicKey.peerID, remotePublicKey: publicKey, earlyMuxer: muxer, handshakeHash: self.noise.handshakeHash)
        return Session(outbound: outbound, inbound: inbound, channel: channel)
    }

    /// libp2p specs, connections, "Multiplexer Negotiation over Noise": the initiator's first that the responder has too; without
    /// any in common the handshake fails; a side that names none negotiates later.
    private static func commonMuxer(initiator: [ProtocolID], responder: [ProtocolID]) throws(NoiseError) -> ProtocolID? {
        guard !initiator.isEmpty, !responder.isEmpty else { return nil }
        guard let common = initiator.first(where: responder.contains) else { throw .noCommonMuxer }
        return common
    }
}
