public import DIGIdentity
public import DIGNet
public import NIOCore

/// Authenticates and encrypts a channel: libp2p's Noise XX, `/noise`.
public enum Noise {
    public static let protocolID: ProtocolID = "/noise"

    /// Runs the handshake with handlers at the end of the channel's pipeline.
    ///
    /// On success one ``NoiseHandler`` is left: plaintext above, ciphertext below. The future succeeds on the event loop; its callbacks
    /// add the next handler in that same turn, and that handler gets every byte that came behind the handshake. A failed future means
    /// that the channel is being closed and that no byte was passed on. No time limit is set: closing the channel ends the handshake.
    ///
    /// - Parameters:
    ///   - role: The dialer is Noise's initiator.
    ///   - identity: Signs the key of this channel, which is made for it and not used again.
    ///   - expecting: Whom to accept; anyone if `nil`.
    ///   - muxers: The multiplexers to offer in the handshake, the best first; empty leaves them to multistream-select.
    /// - Returns: What was proven. Fails with ``/DIGNet/ConnectionError``: `.peerMismatch`, `.noCommonProtocol` (multiplexers),
    ///   `.protocolViolation` or `.closed`.
    public static func secure(
        _ channel: any Channel, as role: ConnectionRole, identity: KeyPair, expecting: PeerID?, muxers: [ProtocolID]
    ) -> EventLoopFuture<SecuredChannel> {
        let promise = channel.eventLoop.makePromise(of: SecuredChannel.self)
        let add: @Sendable () -> Void = {
            let machine = NoiseHandshakeStateMachine(role: role, identity: identity, expecting: expecting, muxers: muxers)
            do {
                try channel.pipeline.syncOperations.addHandler(NoiseHandshakeHandler(machine: machine, promise: promise))
            } catch {
                promise.fail(ConnectionError(.closed, "the channel closed before the Noise handshake", cause: error))
            }
        }
        if channel.eventLoop.inEventLoop { add() } else { channel.eventLoop.execute(add) }
        return promise.futureResult
    }
}
