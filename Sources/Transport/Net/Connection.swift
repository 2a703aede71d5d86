public import DIGIdentity
public import DIGMultiformats
public import NIOCore

/// Who opened a connection.
public enum ConnectionRole: Hashable, Sendable {
    case dialer
    case listener
}

/// An authenticated, encrypted, multiplexed link to one peer.
public protocol Connection: AnyObject, Sendable {
    /// Distinguishes connections of this process.
    var id: ConnectionID { get }
    var role: ConnectionRole { get }
    var localPeer: PeerID { get }
    /// Proven by the handshake.
    var remotePeer: PeerID { get }
    var remotePublicKey: PublicKey { get }
    /// The address that was dialed, or from which the peer came, without `/p2p/…`.
    var remoteAddress: Multiaddr { get }
    /// This end's address, without `/p2p/…`; nil where it has none of its own, as on a relayed connection.
    var localAddress: Multiaddr? { get }
    /// The loop on which every stream of this connection lives.
    var eventLoop: any EventLoop { get }
    /// The hash of the security handshake: the same at both ends, different for every connection.
    var channelBinding: [UInt8] { get }

    /// Opens a stream that speaks one of `protocols`, the first that the peer knows.
    ///
    /// - Parameter initializer: Adds the handlers; runs on ``eventLoop`` once the protocol is agreed and before
    ///   its first byte is read.
    /// - Throws: ``ConnectionError`` with `.noCommonProtocol`, `.closed`, `.streamLimitExceeded` or `.timedOut`.
    func openStream(
        speaking protocols: [ProtocolID],
        initializer: @escaping @Sendable (any Channel, ProtocolID) -> EventLoopFuture<Void>
    ) async throws -> any Channel

    /// Says goodbye to the peer and closes every stream. Returns when the channel is closed.
    func close() async

    /// Completes when the connection is gone, whoever closed it.
    var closeFuture: EventLoopFuture<Void> { get }
}

extension Connection {
    /// Whether a relay carries it.
    public var isRelayed: Bool { self.remoteAddress.components.contains(.p2pCircuit) }
}

public struct ConnectionID: Hashable, Sendable, CustomStringConvertible {
    public var rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    public var description: String { "\(self.rawValue)" }
}

/// Runs on the stream's event loop once the protocol is agreed: adds handlers before the first byte is read.
public typealias StreamHandler = @Sendable (_ stream: any Channel, _ connection: any Connection) -> EventLoopFuture<Void>

/// Where services register the protocols they answer. The swarm conforms.
public protocol StreamRouter: Sendable {
    /// Answers inbound streams that ask for `id`, replacing any handler there was.
    func register(_ id: ProtocolID, handler: @escaping StreamHandler)
    func unregister(_ id: ProtocolID)
}
