import DIGNet

/// The peers of a download: those that wait for its start, those that a stream is being opened to, and those that have one.
///
/// A connection is in at most one of the three.
struct DownloadLinks {
    struct Link {
        let attachment: SessionAttachment
        /// Nil for a session that is shared with other downloads.
        let connection: ConnectionID?
    }

    private struct Opening {
        let connection: ConnectionID
        let task: Task<Void, Never>
    }

    private var waitingConnections: [any Connection] = []
    private var waitingSessions: [PeerSession] = []
    private var opening: [PeerKey: Opening] = [:]
    private var links: [PeerKey: Link] = [:]
    private var lastKey: UInt64 = 0

    /// Streams that are being opened.
    var openingCount: Int { self.opening.count }
    /// Whoever has a stream, in no particular order.
    var attachments: [SessionAttachment] { self.links.values.map(\.attachment) }

    subscript(_ key: PeerKey) -> SessionAttachment? { self.links[key]?.attachment }

    mutating func makeKey() -> PeerKey {
        self.lastKey += 1
        return PeerKey(rawValue: self.lastKey)
    }

    // MARK: - Before the start

    mutating func wait(_ connection: any Connection) { self.waitingConnections.append(connection) }
    mutating func wait(_ session: PeerSession) { self.waitingSessions.append(session) }

    /// Those that have waited.
    mutating func start() -> (connections: [any Connection], sessions: [PeerSession]) {
        defer {
            self.waitingConnections = []
            self.waitingSessions = []
        }
        return (self.waitingConnections, self.waitingSessions)
    }

    // MARK: - Opening

    /// Whether a stream over it is open, or being opened.
    func contains(_ connection: ConnectionID) -> Bool {
        self.links.values.contains { $0.connection == connection } || self.opening.values.contains { $0.connection == connection }
    }

    /// - Parameter task: Opens the stream; cancelled if the connection is not wanted any more.
    mutating func beganOpening(_ key: PeerKey, _ connection: ConnectionID, task: Task<Void, Never>) {
        self.opening[key] = Opening(connection: connection, task: task)
    }

    /// Returns whether the stream is still wanted.
    mutating func endedOpening(_ key: PeerKey) -> Bool { self.opening.removeValue(forKey: key) != nil }

    // MARK: - Links

    mutating func insert(_ attachment: SessionAttachment, connection: ConnectionID?, key: PeerKey) {
        self.links[key] = Link(attachment: attachment, connection: connection)
    }

    mutating func remove(_ key: PeerKey) -> SessionAttachment? { self.links.removeValue(forKey: key)?.attachment }

    /// Forgets a connection wherever it is, and stops opening a stream over it.
    ///
    /// - Returns: What was linked over it, to be detached; and whether a stream was being opened.
    mutating func remove(_ connection: ConnectionID) -> (links: [(key: PeerKey, attachment: SessionAttachment)], wasOpening: Bool) {
        self.waitingConnections.removeAll { $0.id == connection }
        let opening = self.opening.filter { $0.value.connection == connection }
        for (key, opening) in opening {
            opening.task.cancel()
            self.opening[key] = nil
        }
        let links = self.links.filter { $0.value.connection == connection }
        for key in links.keys { self.links[key] = nil }
        return (links.map { ($0.key, $0.value.attachment) }, !opening.isEmpty)
    }

    /// Forgets everybody. Returns what is to be detached.
    mutating func removeAll() -> [SessionAttachment] {
        for opening in self.opening.values { opening.task.cancel() }
        let attachments = self.attachments
        self.opening = [:]
        self.links = [:]
        return attachments
    }
}
