import DIGIdentity

/// Who has a reservation and which circuits are open: decides about requests, does nothing by itself.
struct RelayTable {
    typealias Instant = ContinuousClock.Instant

    struct CircuitID: Hashable, Sendable {
        var rawValue: UInt64
    }

    private struct Slot {
        var expiresAt: Instant
        var origin: NetworkOrigin?
    }

    /// The same whoever began.
    private struct Pair: Hashable {
        var low: PeerID
        var high: PeerID
        init(_ a: PeerID, _ b: PeerID) { (self.low, self.high) = a < b ? (a, b) : (b, a) }
    }

    private let configuration: RelayServiceConfiguration
    private var slots: [PeerID: Slot] = [:]
    /// Whose reservations have ended, and nobody was told.
    private var over: Set<PeerID> = []
    /// Reservations by address and by site.
    private var networks: [NetworkOrigin.Network: Int] = [:]
    private var circuits: [CircuitID: (source: PeerID, target: PeerID, origin: NetworkOrigin?)] = [:]
    /// Circuits by the address and the site of those who began them.
    private var circuitsOfNetwork: [NetworkOrigin.Network: Int] = [:]
    private var circuitsOfPeer: [PeerID: Int] = [:]
    private var circuitsOfPair: [Pair: Int] = [:]
    private var nextID: UInt64 = 0

    init(_ configuration: RelayServiceConfiguration) { self.configuration = configuration }

    var reservationCount: Int { self.slots.count }
    var circuitCount: Int { self.circuits.count }

    // MARK: Reservations

    /// Gives `peer` a reservation, or refreshes it.
    ///
    /// - Parameter origin: Where it comes from; nil for this machine.
    /// - Returns: When it ends.
    mutating func reserve(_ peer: PeerID, from origin: NetworkOrigin?, now: Instant) throws(RelayRefusal) -> Instant {
        self.endSlots(now: now)
        let held = self.slots[peer]
        if held == nil, self.slots.count >= self.configuration.maximumReservations { throw .tooManyReservations }
        if let origin, held?.origin != origin {
            guard
                self.networks[origin.address, default: 0] < self.configuration.maximumReservationsPerAddress,
                origin.site.map({ self.networks[$0, default: 0] < self.configuration.maximumReservationsPerNetwork }) ?? true
            else { throw .tooManyReservationsFromNetwork }
        }
        self.remove(peer)
        let expiresAt = now + self.configuration.reservationLifetime
        self.slots[peer] = Slot(expiresAt: expiresAt, origin: origin)
        self.count(origin, by: 1)
        return expiresAt
    }

    func hasReservation(_ peer: PeerID, now: Instant) -> Bool {
        self.slots[peer].map { now < $0.expiresAt } ?? false
    }

    /// - Returns: Whether there was one.
    @discardableResult
    mutating func remove(_ peer: PeerID) -> Bool {
        guard let slot = self.slots.removeValue(forKey: peer) else { return false }
        self.count(slot.origin, by: -1)
        return true
    }

    /// - Returns: Whose reservations have ended since the last call, also those that made room for others.
    mutating func expire(now: Instant) -> [PeerID] {
        self.endSlots(now: now)
        defer { self.over = [] }
        return self.over.filter { self.slots[$0] == nil }
    }

    private mutating func endSlots(now: Instant) {
        for (peer, slot) in self.slots where slot.expiresAt <= now {
            self.remove(peer)
            self.over.insert(peer)
        }
    }

    /// - Returns: Whose reservations are gone.
    mutating func removeAll() -> [PeerID] {
        defer {
            self.slots = [:]
            self.networks = [:]
            self.over = []
        }
        return Array(self.over.union(self.slots.keys))
    }

    private mutating func count(_ origin: NetworkOrigin?, by difference: Int) {
        Self.count(origin, by: difference, in: &self.networks)
    }

    private static func count(_ origin: NetworkOrigin?, by difference: Int, in networks: inout [NetworkOrigin.Network: Int]) {
        guard let origin else { return }
        for network in [origin.address, origin.site].compactMap({ $0 }) {
            let count = networks[network, default: 0] + difference
            networks[network] = count > 0 ? count : nil
        }
    }

    // MARK: Circuits

    /// Admits a circuit, which counts until ``close(_:)``.
    ///
    /// - Parameter origin: Where `source` comes from; nil for this machine.
    mutating func open(from source: PeerID, at origin: NetworkOrigin? = nil, to target: PeerID, now: Instant) throws(RelayRefusal) -> CircuitID {
        guard source != target else { throw .targetIsInitiator }
        guard self.hasReservation(target, now: now) else { throw .noReservation }
        guard self.circuits.count < self.configuration.maximumCircuits else { throw .tooManyCircuits }
        let pair = Pair(source, target)
        guard
            self.circuitsOfPeer[source, default: 0] < self.configuration.maximumCircuitsPerPeer,
            self.circuitsOfPeer[target, default: 0] < self.configuration.maximumCircuitsPerPeer,
            self.circuitsOfPair[pair, default: 0] < self.configuration.maximumCircuitsPerPair
        else { throw .tooManyCircuitsOfPeer }
        if let origin {
            guard
                self.circuitsOfNetwork[origin.address, default: 0] < self.configuration.maximumCircuitsPerAddress,
                origin.site.map({ self.circuitsOfNetwork[$0, default: 0] < self.configuration.maximumCircuitsPerNetwork }) ?? true
            else { throw .tooManyCircuitsFromNetwork }
        }
        let id = CircuitID(rawValue: self.nextID)
        self.nextID += 1
        self.circuits[id] = (source, target, origin)
        Self.count(origin, by: 1, in: &self.circuitsOfNetwork)
        self.circuitsOfPeer[source, default: 0] += 1
        self.circuitsOfPeer[target, default: 0] += 1
        self.circuitsOfPair[pair, default: 0] += 1
        return id
    }

    func isOpen(_ id: CircuitID) -> Bool { self.circuits[id] != nil }

    /// Closing twice is harmless.
    mutating func close(_ id: CircuitID) {
        guard let (source, target, origin) = self.circuits.removeValue(forKey: id) else { return }
        Self.count(origin, by: -1, in: &self.circuitsOfNetwork)
        for peer in [source, target] {
            let count = self.circuitsOfPeer[peer, default: 0] - 1
            self.circuitsOfPeer[peer] = count > 0 ? count : nil
        }
        let pair = Pair(source, target)
        let count = self.circuitsOfPair[pair, default: 0] - 1
        self.circuitsOfPair[pair] = count > 0 ? count : nil
    }
}
