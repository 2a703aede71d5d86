import DIGIdentity
import DIGMultiformats
import Logging
import NIOCore

/// Performs what ``LocalDiscoveryStateMachine`` asks for: sockets, timer, reports.
///
/// Sendable although it has state: every property is read and written on `eventLoop` only.
final class LocalDiscoveryDriver: @unchecked Sendable {
    private typealias ID = LocalDiscoveryStateMachine.InterfaceID

    private let eventLoop: any EventLoop
    private let configuration: LocalDiscoveryConfiguration
    private let addresses: @Sendable () -> [Multiaddr]
    private let report: @Sendable (LocalDiscoveryStateMachine.Output) -> Void
    private let logger: Logger

    private var machine: LocalDiscoveryStateMachine
    private var generator = SystemRandomNumberGenerator()
    private var sockets: [MulticastInterface: Socket] = [:]
    private var nextID = 0
    private var networks = LocalNetworks()
    private var timer: Scheduled<Void>?
    private var refresh: RepeatedTask?
    private var isStopped = false
    private var hasWarned = false
    private var malformedDatagramCount = 0

    private struct Socket {
        var id: LocalDiscoveryStateMachine.InterfaceID
        var group: SocketAddress
        /// `nil` while it is being opened.
        var channel: (any Channel)?
        /// With a port of its own. `nil` if there is none: what is asked for unicast answers is not asked then.
        var unicast: (any Channel)?
    }

    init(
        peer: PeerID, addresses: @escaping @Sendable () -> [Multiaddr], configuration: LocalDiscoveryConfiguration,
        eventLoop: any EventLoop, logger: Logger, holds: @escaping @Sendable (LocalKey) -> Bool,
        report: @escaping @Sendable (LocalDiscoveryStateMachine.Output) -> Void
    ) {
        self.eventLoop = eventLoop
        self.configuration = configuration
        self.addresses = addresses
        self.report = report
        self.logger = logger
        var generator = SystemRandomNumberGenerator()
        self.machine = LocalDiscoveryStateMachine(
            peer: peer, peerName: LocalDiscoveryStateMachine.randomPeerName(using: &generator), addresses: [],
            configuration: configuration, holds: holds)
    }

    func start() -> EventLoopFuture<Void> {
        self.eventLoop.submit {
            let interval = TimeAmount(self.configuration.refreshInterval)
            self.refresh = self.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: interval) { _ in
                self.refreshInterfaces()
            }
        }
    }

    /// Says goodbye on every interface and closes the sockets.
    func stop() -> EventLoopFuture<Void> {
        self.eventLoop.flatSubmit {
            self.isStopped = true
            self.refresh?.cancel()
            self.timer?.cancel()
            self.machine.stopped()
            let written = self.performOutputs()
            let channels = self.sockets.values.flatMap { [$0.channel, $0.unicast].compactMap { $0 } }
            self.sockets.removeAll()
            return EventLoopFuture.andAllComplete(written, on: self.eventLoop).flatMap {
                EventLoopFuture.andAllComplete(channels.map { $0.close() }, on: self.eventLoop)
            }
        }
    }

    // MARK: Contents

    func want(_ key: LocalKey) {
        self.eventLoop.execute {
            guard !self.isStopped else { return }
            if !self.machine.wanted(key, now: .now, using: &self.generator) { self.logger.debug("too many contents are looked for") }
            self.proceed()
        }
    }

    func unwant(_ key: LocalKey) {
        self.eventLoop.execute {
            self.machine.unwanted(key)
            self.proceed()
        }
    }

    func withdraw(_ keys: [LocalKey]) {
        self.eventLoop.execute {
            guard !self.isStopped else { return }
            self.machine.withdrawn(keys, now: .now)
            self.proceed()
        }
    }

    // MARK: Events

    func received(_ datagram: AddressedEnvelope<ByteBuffer>, on id: LocalDiscoveryStateMachine.InterfaceID, isUnicast: Bool) {
        self.eventLoop.assertInEventLoop()
        guard !self.isStopped, let interface = self.sockets.first(where: { $0.value.id == id })?.key else { return }
        let isOwn = self.networks.isOwn(datagram.remoteAddress)
        // Our own question comes back to us, and is nobody else's.
        if isOwn, self.sockets.values.contains(where: { $0.unicast?.localAddress?.port == datagram.remoteAddress.port }) { return }
        let message: DNSMessage
        do throws(DNSDecodingError) {
            message = try datagram.data.decodeDNSMessage()
        } catch {
            self.malformedDatagramCount += 1
            self.logger.trace(
                "dropped malformed datagram",
                metadata: ["dig.mdns.error": "\(error)", "dig.mdns.malformed_count": "\(self.malformedDatagramCount)"])
            return
        }
        let source = LocalDiscoveryStateMachine.Source(
            address: datagram.remoteAddress,
            isThisMachine: isOwn, isOnLink: self.networks.contains(datagram.remoteAddress, on: interface.name))
        self.machine.received(message, from: source, on: id, isUnicast: isUnicast, now: .now, using: &self.generator)
        self.proceed()
    }

    func failed(_ error: any Error, on id: LocalDiscoveryStateMachine.InterfaceID) {
        self.logger.debug("socket error", metadata: ["dig.mdns.error": "\(error)", "dig.mdns.interface": "\(self.name(of: id))"])
    }

    func closed(_ id: LocalDiscoveryStateMachine.InterfaceID, isUnicast: Bool) {
        guard let interface = self.sockets.first(where: { $0.value.id == id })?.key else { return }
        guard !isUnicast else {
            self.sockets[interface]?.unicast = nil
            return
        }
        self.sockets[interface]?.unicast?.close(promise: nil)
        self.sockets[interface] = nil
        self.machine.interfaceVanished(id)
    }

    private func refreshInterfaces() {
        guard !self.isStopped else { return }
        self.machine.addressesChanged(self.addresses(), now: .now)
        let chosen: [MulticastInterface]
        do {
            (chosen, self.networks) = try MulticastInterface.all(self.configuration.interfaces)
        } catch {
            self.logger.debug("interfaces cannot be listed", metadata: ["dig.mdns.error": "\(error)"])
            self.proceed()
            return
        }
        for (interface, socket) in self.sockets where !chosen.contains(interface) {
            self.sockets[interface] = nil
            self.machine.interfaceVanished(socket.id)
            socket.channel?.close(promise: nil)
            socket.unicast?.close(promise: nil)
        }
        for interface in chosen where self.sockets[interface] == nil { self.open(interface) }
        if chosen.isEmpty, !self.hasWarned {
            self.hasWarned = true
            self.logger.info("no interface for local discovery; peers in the same network are not found until there is one")
        }
        self.proceed()
    }

    private func open(_ interface: MulticastInterface) {
        let group: SocketAddress
        do { group = try interface.groupAddress(port: self.configuration.port) } catch { return }
        let id = ID(rawValue: self.nextID)
        self.nextID += 1
        self.sockets[interface] = Socket(id: id, group: group, channel: nil)
        @Sendable func initializer(isUnicast: Bool) -> @Sendable (any Channel) -> EventLoopFuture<Void> {
            { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(MulticastHandler(id: id, isUnicast: isUnicast, driver: self))
                }
            }
        }
        // The other first, so that it is there when the first question is asked. Without it everything but speed is the same.
        let unicast = MulticastSocket.openForUnicast(interface, on: self.eventLoop, initializer: initializer(isUnicast: true))
            .map { channel -> (any Channel)? in channel }
            .flatMapError { error in
                self.logger.debug("no port for unicast answers", metadata: ["dig.mdns.interface": "\(interface)", "dig.mdns.error": "\(error)"])
                return self.eventLoop.makeSucceededFuture(nil)
            }
        let both = unicast.flatMap { unicast in
            MulticastSocket.open(interface, port: self.configuration.port, on: self.eventLoop, initializer: initializer(isUnicast: false))
                .map { (group: $0, unicast: unicast) }
                .flatMapError { error in
                    unicast?.close(promise: nil)
                    return self.eventLoop.makeFailedFuture(error)
                }
        }
        both.whenComplete { result in
            switch result {
            case .success(let channels):
                // The interface may be gone again, or we may.
                guard !self.isStopped, self.sockets[interface]?.id == id else {
                    channels.group.close(promise: nil)
                    channels.unicast?.close(promise: nil)
                    return
                }
                self.sockets[interface]?.channel = channels.group
                self.sockets[interface]?.unicast = channels.unicast
                self.machine.interfaceAppeared(id, isLoopback: interface.isLoopback, now: .now, using: &self.generator)
                self.proceed()
            case .failure(let error):
                // Tried again at the next refresh.
                if self.sockets[interface]?.id == id { self.sockets[interface] = nil }
                self.logger.debug("interface cannot be used", metadata: ["dig.mdns.interface": "\(interface)", "dig.mdns.error": "\(error)"])
            }
        }
    }

    // MARK: Outputs

    private func proceed() {
        _ = self.performOutputs()
        self.timer?.cancel()
        guard !self.isStopped, let deadline = self.machine.deadline else { return }
        // Never at once: a deadline that does not move would keep the loop busy.
        let wait = max(.milliseconds(1), TimeAmount(deadline - .now))
        self.timer = self.eventLoop.scheduleTask(in: wait) {
            guard !self.isStopped else { return }
            self.machine.deadlineReached(now: .now, using: &self.generator)
            self.proceed()
        }
    }

    private func performOutputs() -> [EventLoopFuture<Void>] {
        var writes: [EventLoopFuture<Void>] = []
        while let output = self.machine.poll() {
            switch output {
            case .report, .reportHolder: self.report(output)
            case .send(let message, let id, let destination):
                guard let socket = self.sockets.values.first(where: { $0.id == id }) else { continue }
                let (channel, address): ((any Channel)?, SocketAddress) =
                    switch destination {
                    case .group: (socket.channel, socket.group)
                    case .groupForUnicast: (socket.unicast, socket.group)
                    case .unicast(let source): (socket.channel, source.address)
                    }
                guard let channel else { continue }
                var buffer = channel.allocator.buffer(capacity: LocalDiscoveryStateMachine.maximumResponseByteCount)
                buffer.writeDNSMessage(message)
                let write = channel.writeAndFlush(AddressedEnvelope(remoteAddress: address, data: buffer))
                write.whenFailure { self.failed($0, on: id) }
                writes.append(write)
            }
        }
        return writes
    }

    private func name(of id: LocalDiscoveryStateMachine.InterfaceID) -> String {
        self.sockets.first { $0.value.id == id }?.key.description ?? ""
    }
}
