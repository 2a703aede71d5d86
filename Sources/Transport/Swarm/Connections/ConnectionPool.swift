import DIGIdentity
import DIGNet
import NIOCore

/// What the pool needs to know of a connection.
protocol PooledConnection: AnyObject {
    var id: ConnectionID { get }
    var role: ConnectionRole { get }
    var localPeer: PeerID { get }
    var remotePeer: PeerID { get }
    var establishedAt: NIODeadline { get }
    var isUsed: Bool { get }
    var lastUse: NIODeadline { get }
    /// Takes no more streams.
    var isClosing: Bool { get }
    /// A relay carries it.
    var isRelayed: Bool { get }
}

extension SwarmConnection: PooledConnection {}

/// Which connections are kept: at most one for each peer is handed out, and no more than a limit in all.
struct ConnectionPool<Element: PooledConnection> {
    /// What to do about a new connection.
    enum Admission {
        /// No connection fits: close the new one.
        case refuse
        /// - Parameters:
        ///   - isFirst: The peer had no connection.
        ///   - redundant: The one of the peer's connections that loses its place, old or new.
        ///   - victim: A connection that makes room: to another peer, or another one to the same.
        case admit(isFirst: Bool, redundant: Element?, victim: Element?)
    }

    /// What changed when a connection went away.
    struct Removal {
        /// The peer has no connection left.
        var isLast: Bool
        /// Takes the place of the one removed.
        var promoted: Element?
    }

    /// May be lowered below ``count``: then one makes room for each newcomer until the rest has gone by itself.
    var maximumConnections: Int
    private let maximumConnectionsPerPeer: Int
    private let simultaneousDialWindow: TimeAmount
    /// The preferred one first; never empty.
    private var byPeer: [PeerID: [Element]] = [:]
    private(set) var count = 0

    init(maximumConnections: Int, maximumConnectionsPerPeer: Int = .max, simultaneousDialWindow: TimeAmount) {
        self.maximumConnections = maximumConnections
        self.maximumConnectionsPerPeer = maximumConnectionsPerPeer
        self.simultaneousDialWindow = simultaneousDialWindow
    }

    var all: [Element] { self.byPeer.values.flatMap { $0 } }
    /// One for each peer.
    var preferred: [Element] { self.byPeer.values.compactMap(\.first) }

    func preferred(for peer: PeerID) -> Element? { self.byPeer[peer]?.first }

    /// - Parameter isProtected: Whether a peer's connections may not make room for others.
    mutating func insert(_ new: Element, now: NIODeadline, isProtected: (PeerID) -> Bool) -> Admission {
        var victim: Element?
        // A connection that was told to close is on its way out: it is no room, but it was asked for once already.
        let own = (self.byPeer[new.remotePeer] ?? []).filter { !$0.isClosing }
        if own.count >= self.maximumConnectionsPerPeer {
            victim = own.filter { !$0.isUsed }.min { $0.lastUse < $1.lastUse }
            if victim == nil { return .refuse }
        } else if self.count >= self.maximumConnections {
            victim = self.all.filter { $0.remotePeer != new.remotePeer && !$0.isUsed && !isProtected($0.remotePeer) }
                .min { $0.lastUse < $1.lastUse }
            if victim == nil, !isProtected(new.remotePeer) { return .refuse }
        }
        self.count += 1
        guard let current = self.byPeer[new.remotePeer]?.first else {
            self.byPeer[new.remotePeer] = [new]
            return .admit(isFirst: true, redundant: nil, victim: victim)
        }
        if self.prefers(new, to: current, now: now) {
            self.byPeer[new.remotePeer]?.insert(new, at: 0)
            return .admit(isFirst: false, redundant: current, victim: victim)
        }
        self.byPeer[new.remotePeer]?.append(new)
        return .admit(isFirst: false, redundant: new, victim: victim)
    }

    /// Both sides come to the same result, because it rests on what both know.
    private func prefers(_ new: Element, to current: Element, now: NIODeadline) -> Bool {
        if current.isClosing { return true }
        // Whoever dialed it, and whenever.
        if new.isRelayed != current.isRelayed { return current.isRelayed }
        if new.role == current.role {
            // Ours: the first attempt that succeeded stays. The peer's: it dialed again, so it has lost the older one.
            return new.role == .listener
        }
        guard now - current.establishedAt <= self.simultaneousDialWindow else { return true }
        let isLocalLower = new.localPeer.bytes.lexicographicallyPrecedes(new.remotePeer.bytes)
        return isLocalLower == (new.role == .dialer)
    }

    /// Nil if the connection was never admitted.
    mutating func remove(_ connection: Element) -> Removal? {
        guard var connections = self.byPeer[connection.remotePeer],
            let index = connections.firstIndex(where: { $0.id == connection.id })
        else { return nil }
        connections.remove(at: index)
        self.count -= 1
        if index == 0, let best = connections.indices.min(by: { Self.rank(connections[$0]) < Self.rank(connections[$1]) }) {
            connections.swapAt(0, best)
        }
        self.byPeer[connection.remotePeer] = connections.isEmpty ? nil : connections
        return Removal(isLast: connections.isEmpty, promoted: index == 0 ? connections.first : nil)
    }

    /// Which connection takes the place of one that is gone: the lower, the better.
    private static func rank(_ connection: Element) -> Int {
        (connection.isClosing ? 2 : 0) + (connection.isRelayed ? 1 : 0)
    }
}
