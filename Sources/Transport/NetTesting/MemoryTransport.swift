public import DIGMultiformats
public import DIGNet
public import NIOCore
public import NIOPosix

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Channels between two ends of one process: `/memory/N`; `/memory/0` listens on a free number.
///
/// Each connection is a pair of connected sockets, so the channels are NIO's own, on any loops, with real back-pressure. No
/// network and no port is involved.
public struct MemoryTransport: Transport {
    /// Its loops carry the accepted channels.
    public let group: any EventLoopGroup
    private let network: MemoryNetwork

    public init(network: MemoryNetwork, group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton) {
        self.network = network
        self.group = group
    }

    public func canDial(_ address: Multiaddr) -> Bool { Self.number(of: address) != nil }
    public func canListen(on address: Multiaddr) -> Bool { Self.number(of: address) != nil }

    public func dial(
        _ address: Multiaddr, for purpose: DialPurpose, on eventLoop: any EventLoop,
        initializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> any Channel {
        guard let number = Self.number(of: address), let listener = self.network.listener(number) else {
            throw IOError(errnoCode: ECONNREFUSED, reason: "connect")
        }
        let (local, remote) = try Self.makePair()
        let source = Multiaddr(components: [.memory(self.network.reserve())])
        // The initializer reports failures to whoever listens.
        ClientBootstrap(group: listener.group.next())
            .channelInitializer { channel in listener.initializer(channel, source) }
            .withConnectedSocket(remote)
            .whenFailure { _ in }
        let pending = PendingChannel()
        return try await pending.run {
            try await ClientBootstrap(group: eventLoop)
                .channelInitializer { channel in
                    do { try pending.made(channel) } catch { return channel.eventLoop.makeFailedFuture(error) }
                    return initializer(channel)
                }
                .withConnectedSocket(local).get()
        }
    }

    public func listen(
        on address: Multiaddr,
        initializer: @escaping @Sendable (any Channel, Multiaddr) -> EventLoopFuture<Void>
    ) async throws -> any Listener {
        guard let number = Self.number(of: address) else {
            throw ConnectionError(.protocolViolation, "\(address) is no memory address")
        }
        let listener = MemoryListener(
            number: number == 0 ? self.network.reserve() : number, network: self.network, group: self.group, initializer: initializer)
        guard self.network.insert(listener) else { throw IOError(errnoCode: EADDRINUSE, reason: "bind") }
        return listener
    }

    private static func number(of address: Multiaddr) -> UInt64? {
        var components = address.components[...]
        if let last = components.last, case .p2p = last { components.removeLast() }
        guard components.count == 1, let first = components.first, case .memory(let number) = first else { return nil }
        return number
    }

    private static func makePair() throws -> (NIOBSDSocket.Handle, NIOBSDSocket.Handle) {
        // SOCK_STREAM, which the platforms import as different types.
        let kind: Int32 = 1
        var descriptors: (Int32, Int32) = (-1, -1)
        let result = withUnsafeMutableBytes(of: &descriptors) { bytes in
            socketpair(AF_UNIX, kind, 0, bytes.assumingMemoryBound(to: Int32.self).baseAddress)
        }
        guard result == 0 else { throw IOError(errnoCode: errno, reason: "socketpair") }
        return descriptors
    }
}
