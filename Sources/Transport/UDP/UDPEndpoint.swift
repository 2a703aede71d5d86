public import NIOCore
import NIOPosix

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// One UDP port, shared by every protocol of a node: what STUN learns about it holds for QUIC and for WebRTC too.
///
/// Has a socket for each address it is bound to, by default one for each address family. Datagrams are told apart by their first
/// byte, see ``DatagramKind``, and handed to the handlers of that kind in the order they were registered, on one event loop, without a task
/// or a lock. Answers can leave from the address that was asked. What the network says about datagrams sent earlier is
/// ignored: no peer can close the port.
///
/// Sendable although it has state: every mutable property is read and written on ``eventLoop`` only.
public final class UDPEndpoint: @unchecked Sendable {
    private struct Registration {
        var kind: DatagramKind
        var source: SocketAddress?
        var handler: any DatagramHandler
    }

    private struct Waiting {
        var payload: ByteBuffer
        var destination: SocketAddress
        var source: SocketAddress?
        var socket: UDPSocket
    }

    public let eventLoop: any EventLoop
    /// What the sockets are bound to, with the ports that the system chose; wildcards as such.
    public let localAddresses: [SocketAddress]
    private let sockets: [UDPSocket]
    private let configuration: UDPConfiguration

    private var registrations: [Registration] = []
    private var statisticsSoFar = UDPStatistics()
    private var waiting = CircularBuffer<Waiting>()
    private var isRetryScheduled = false
    private var isClosed = false

    /// Ours: how long to wait before a full kernel buffer is tried again.
    private static let retryInterval: TimeAmount = .milliseconds(1)
    /// Ours: ports the system chose for IPv4 that were taken for IPv6.
    private static let bindAttemptCount = 16

    private init(sockets: [UDPSocket], eventLoop: any EventLoop, configuration: UDPConfiguration) {
        self.sockets = sockets
        self.localAddresses = sockets.map(\.address)
        self.eventLoop = eventLoop
        self.configuration = configuration
    }

    /// Binds `port` of every address of this machine, IPv4 and IPv6. A machine without IPv6 gets IPv4 alone, and the other way round.
    ///
    /// - Parameters:
    ///   - port: 0 lets the system choose one that is free in both families.
    ///   - group: NIOPosix's `MultiThreadedEventLoopGroup`.
    /// - Throws: ``UDPError``.
    public static func bind(port: UInt16 = 0, group: any EventLoopGroup, configuration: UDPConfiguration = .init()) async throws -> UDPEndpoint {
        var attempts = 0
        while true {
            attempts += 1
            do {
                return try await Self.open(Self.wildcardSockets(port: port, configuration: configuration), group.any(), configuration)
            } catch let error as UDPError where error.code == .addressInUse && port == 0 && attempts < Self.bindAttemptCount {
                continue
            }
        }
    }

    /// Binds exactly `addresses`.
    ///
    /// - Throws: ``UDPError``; nothing is bound then.
    public static func bind(
        _ addresses: [SocketAddress], group: any EventLoopGroup, configuration: UDPConfiguration = .init()
    ) async throws -> UDPEndpoint {
        var sockets: [UDPSocket] = []
        do {
            for address in addresses { sockets.append(try UDPSocket(binding: address, configuration: configuration)) }
        } catch {
            for socket in sockets { socket.abandon() }
            throw error
        }
        return try await Self.open(sockets, group.any(), configuration)
    }

    private static func wildcardSockets(port: UInt16, configuration: UDPConfiguration) throws -> [UDPSocket] {
        let first: UDPSocket
        do {
            first = try UDPSocket(binding: SocketAddress(ipAddress: "0.0.0.0", port: Int(port)), configuration: configuration)
        } catch let error as UDPError where error.code == .addressUnavailable {
            return [try UDPSocket(binding: SocketAddress(ipAddress: "::", port: Int(port)), configuration: configuration)]
        }
        do {
            let port = first.address.port ?? 0
            return [first, try UDPSocket(binding: SocketAddress(ipAddress: "::", port: port), configuration: configuration)]
        } catch let error as UDPError where error.code == .addressUnavailable {
            return [first]
        } catch {
            first.abandon()
            throw error
        }
    }

    private static func open(_ sockets: [UDPSocket], _ eventLoop: any EventLoop, _ configuration: UDPConfiguration) async throws -> UDPEndpoint {
        let endpoint = UDPEndpoint(sockets: sockets, eventLoop: eventLoop, configuration: configuration)
        for (index, socket) in sockets.enumerated() {
            do {
                try await socket.open(on: eventLoop, configuration: configuration) { DatagramReceiver(endpoint: endpoint, socket: socket) }
            } catch {
                await endpoint.close()
                for later in sockets[(index + 1)...] { later.abandon() }
                throw UDPError(.failed, "UDP \(socket.address) can't be used", cause: error)
            }
        }
        return endpoint
    }

    /// Closes every socket and tells the handlers. Twice is harmless.
    public func close() async {
        let closed = self.eventLoop.flatSubmit {
            self.end()
            let channels = self.sockets.compactMap(\.channel).filter(\.isActive)
            return EventLoopFuture.andAllComplete(channels.map { $0.close() }, on: self.eventLoop)
        }
        // Fails if the loop is shut down, and its channels with it.
        _ = try? await closed.get()
    }

    private func end() {
        guard !self.isClosed else { return }
        self.isClosed = true
        self.waiting.removeAll()
        let registrations = self.registrations
        self.registrations.removeAll()
        for registration in registrations { registration.handler.endpointClosed(self) }
    }

    // MARK: Handlers

    /// Hands datagrams of `kind` to `handler`, after the handlers registered before.
    ///
    /// - Parameter source: Only those from this address. Needed for ``DatagramKind/turnChannel``, where it is the TURN server: without
    ///   one, such bytes are QUIC's.
    public func register(_ handler: any DatagramHandler, for kind: DatagramKind, from source: SocketAddress? = nil) {
        self.onEventLoop {
            guard !self.isClosed else {
                handler.endpointClosed(self)
                return
            }
            self.registrations.append(Registration(kind: kind, source: source, handler: handler))
        }
    }

    /// Takes every registration of `handler` back. Datagrams already on their way may still be handed to it if not called on ``eventLoop``.
    public func unregister(_ handler: any DatagramHandler) {
        self.onEventLoop { self.registrations.removeAll { $0.handler === handler } }
    }

    private func onEventLoop(_ body: @escaping @Sendable () -> Void) {
        if self.eventLoop.inEventLoop { body() } else { self.eventLoop.execute(body) }
    }

    // MARK: Receiving

    func received(_ datagram: Datagram) {
        self.statisticsSoFar.received &+= 1
        if DatagramKind.isTURNChannel(datagram.payload), self.offer(datagram, as: .turnChannel) { return }
        if let kind = DatagramKind(datagram.payload), self.offer(datagram, as: kind) { return }
        self.statisticsSoFar.unclaimed &+= 1
    }

    private func offer(_ datagram: Datagram, as kind: DatagramKind) -> Bool {
        for registration in self.registrations where registration.kind == kind {
            if let source = registration.source {
                guard source == datagram.source else { continue }
            } else if kind == .turnChannel {
                continue
            }
            if registration.handler.received(datagram, on: self) { return true }
        }
        return false
    }

    func receivedBatch() {
        for registration in self.registrations { registration.handler.receivedBatch(on: self) }
    }

    func ignored(_ error: any Error) {
        self.statisticsSoFar.errorsIgnored &+= 1
    }

    func socketClosed() {
        self.end()
    }

    // MARK: Sending

    /// Sends one datagram, or drops it: what becomes of it is not reported, only counted in ``statistics()``.
    ///
    /// - Parameters:
    ///   - destination: Decides which socket is used: the first of its address family.
    ///   - source: One of this machine's own addresses, as in ``Datagram/destination``, to answer from the address that was asked. It must have
    ///     the port of one of the sockets. Nil: the routing table chooses.
    public func send(_ payload: ByteBuffer, to destination: SocketAddress, from source: SocketAddress? = nil) {
        if self.eventLoop.inEventLoop {
            self.transmit(payload, to: destination, from: source)
        } else {
            self.eventLoop.execute { self.transmit(payload, to: destination, from: source) }
        }
    }

    /// Whether ``send(_:to:from:)`` can send from `source`.
    public func canSend(from source: SocketAddress) -> Bool {
        self.socket(for: source, from: source) != nil
    }

    /// The port of the first socket for addresses of this family; nil if there is none.
    public func port(for family: NIOBSDSocket.ProtocolFamily) -> Int? {
        self.sockets.first { $0.address.protocol == family }?.address.port
    }

    private func transmit(_ payload: ByteBuffer, to destination: SocketAddress, from source: SocketAddress?) {
        guard !self.isClosed else { return }
        guard let socket = self.socket(for: destination, from: source) else {
            self.statisticsSoFar.refused &+= 1
            return
        }
        if self.waiting.isEmpty, self.attempt(payload, to: destination, from: source, on: socket) { return }
        guard self.waiting.count < self.configuration.maximumQueuedDatagramCount else {
            self.statisticsSoFar.overflowed &+= 1
            return
        }
        self.waiting.append(Waiting(payload: payload, destination: destination, source: source, socket: socket))
        self.scheduleRetry()
    }

    /// False if the kernel takes no more for the moment.
    private func attempt(_ payload: ByteBuffer, to destination: SocketAddress, from source: SocketAddress?, on socket: UDPSocket) -> Bool {
        switch socket.send(payload, to: destination, from: source) {
        case .sent: self.statisticsSoFar.sent &+= 1
        case .refused: self.statisticsSoFar.refused &+= 1
        case .wouldBlock: return false
        }
        return true
    }

    private func scheduleRetry() {
        guard !self.isRetryScheduled else { return }
        self.isRetryScheduled = true
        self.eventLoop.scheduleTask(in: Self.retryInterval) {
            self.isRetryScheduled = false
            while let next = self.waiting.first {
                guard self.attempt(next.payload, to: next.destination, from: next.source, on: next.socket) else {
                    self.scheduleRetry()
                    return
                }
                self.waiting.removeFirst()
            }
        }
    }

    private func socket(for destination: SocketAddress, from source: SocketAddress?) -> UDPSocket? {
        guard let source else { return self.sockets.first { $0.address.protocol == destination.protocol } }
        guard source.protocol == destination.protocol else { return nil }
        return self.sockets.first { $0.address == source }
            ?? self.sockets.first { $0.isWildcard && $0.address.protocol == source.protocol && $0.address.port == source.port }
    }

    // MARK: Reports

    public func statistics() async -> UDPStatistics {
        // Fails if the loop is shut down: nothing passes any more.
        (try? await self.eventLoop.submit { self.statisticsSoFar }.get()) ?? UDPStatistics()
    }
}
