import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGNetTesting
import NIOCore
import NIOPosix
import Synchronization

/// Looks like circuits over a relay: `/memory/N/p2p/RELAY/p2p-circuit`. As with streams of a connection, the channel lives on a loop of its own.
struct CircuitStandIn: Transport {
    let memory: MemoryTransport
    let loop: any EventLoop
    let dialed = Shared<Multiaddr>()

    func canDial(_ address: Multiaddr) -> Bool { address.components.contains(.p2pCircuit) }
    func canListen(on address: Multiaddr) -> Bool { address.components.contains(.p2pCircuit) }

    func dial(
        _ address: Multiaddr, for purpose: DialPurpose, on eventLoop: any EventLoop,
        initializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> any Channel {
        self.dialed.append(address)
        return try await self.memory.dial(Multiaddr(components: [address.components[0]]), for: purpose, on: self.loop, initializer: initializer)
    }

    func listen(
        on address: Multiaddr, initializer: @escaping @Sendable (any Channel, Multiaddr) -> EventLoopFuture<Void>
    ) async throws -> any Listener {
        let rest = address.components.dropFirst()
        let listener = try await self.memory.listen(on: Multiaddr(components: [address.components[0]])) { channel, remote in
            initializer(channel, Multiaddr(components: remote.components + rest))
        }
        return CircuitListener(address: Multiaddr(components: listener.address.components + rest), listener: listener)
    }
}

struct CircuitListener: Listener {
    let address: Multiaddr
    let listener: any Listener
    func close() async { await self.listener.close() }
}

/// Remembers what each dial was for, and passes it on.
struct RecordingTransport: Transport {
    let base: any Transport
    let purposes = Shared<DialPurpose>()
    /// What names stand for.
    var names: [String: [String]] = [:]

    func canDial(_ address: Multiaddr) -> Bool { self.base.canDial(address) }
    func canListen(on address: Multiaddr) -> Bool { self.base.canListen(on: address) }

    func resolve(_ address: Multiaddr) async throws -> [Multiaddr] {
        guard case .dns4(let name) = address.components.first else { return [address] }
        return try (self.names[name] ?? []).map { Multiaddr(components: try Multiaddr($0).components + address.components.dropFirst()) }
    }

    func dial(
        _ address: Multiaddr, for purpose: DialPurpose, on eventLoop: any EventLoop,
        initializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> any Channel {
        self.purposes.append(purpose)
        return try await self.base.dial(address, for: purpose, on: eventLoop, initializer: initializer)
    }

    func listen(
        on address: Multiaddr, initializer: @escaping @Sendable (any Channel, Multiaddr) -> EventLoopFuture<Void>
    ) async throws -> any Listener {
        try await self.base.listen(on: address, initializer: initializer)
    }
}

/// A list that many write.
final class Shared<Element: Sendable>: Sendable {
    private let elements = Mutex<[Element]>([])
    var all: [Element] { self.elements.withLock { $0 } }
    func append(_ element: Element) { self.elements.withLock { $0.append(element) } }
}
