import DIGAnnouncement

/// By which mechanisms content is announced, or withdrawn, and by which not and why.
public struct AnnouncementReport: Hashable, Sendable {
    /// What became of it at one mechanism.
    public enum Outcome: Hashable, Sendable, CustomStringConvertible {
        /// So many other nodes took it. 0: nobody was there to take it; it is tried again.
        case taken(by: Int)
        /// The mechanism announces it in the background.
        case inBackground
        /// Others have been told that it is withdrawn.
        case withdrawn
        /// For a person; it is tried again.
        case failed(String)
        /// No answer in time; somebody may have taken it. It is tried again.
        case timedOut
        /// It has not been tried yet.
        case pending

        public var description: String {
            switch self {
            case .taken(0): "nobody is there to take it yet"
            case .taken(1): "one node took it"
            case .taken(let count): "\(count) nodes took it"
            case .inBackground: "in the background"
            case .withdrawn: "withdrawn"
            case .failed(let reason): "failed: \(reason)"
            case .timedOut: "no answer in time"
            case .pending: "not yet"
            }
        }
    }

    /// One mechanism's part.
    public struct Entry: Hashable, Sendable {
        public var source: DiscoverySource
        /// The last one.
        public var outcome: Outcome
        /// How long that took.
        public var duration: Duration
        /// When somebody last took it.
        public var takenAt: ContinuousClock.Instant?
        /// When it is announced again by the manager; nil: by the mechanism itself, or not.
        public var nextAt: ContinuousClock.Instant?

        public init(
            source: DiscoverySource, outcome: Outcome, duration: Duration = .zero, takenAt: ContinuousClock.Instant? = nil,
            nextAt: ContinuousClock.Instant? = nil
        ) {
            self.source = source
            self.outcome = outcome
            self.duration = duration
            self.takenAt = takenAt
            self.nextAt = nextAt
        }
    }

    public var content: AnnouncedContent
    /// One for each mechanism, in the manager's order.
    public var entries: [Entry]

    public init(content: AnnouncedContent, entries: [Entry]) {
        self.content = content
        self.entries = entries
    }

    public subscript(source: DiscoverySource) -> Entry? { self.entries.first { $0.source == source } }

    /// The mechanisms by which others can find it: at least one other node took it.
    public var takenBy: [DiscoverySource] {
        self.entries.compactMap { entry in
            guard case .taken(let count) = entry.outcome, count > 0 else { return nil }
            return entry.source
        }
    }

    public var isTaken: Bool { !self.takenBy.isEmpty }
}
