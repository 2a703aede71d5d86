public import DIGContent
public import DIGIdentity

/// Where what is known survives a restart.
///
/// Calls come one after another. What a store loses costs knowledge, never safety: a holder that is forgotten is new.
public protocol AvailabilityStore: Sendable {
    /// Everything, as it was saved last.
    ///
    /// - Throws: What the store throws when it can't be read; the manager does not run then.
    func load() async throws -> AvailabilityContents
    /// Keeps what has changed, or nothing of it.
    ///
    /// - Throws: What the store throws; it is logged, and these changes are not tried again.
    func save(_ changes: AvailabilityContents.Changes) async throws
    /// The signed records about a content, or all; the latest first.
    func records(about content: ContentHash?, limit: Int) async throws -> [SignedRecord]
}

/// What an ``AvailabilityStore`` holds beside signed records.
public struct AvailabilityContents: Hashable, Sendable {
    /// Every pair once.
    public var holders: [HolderSnapshot]
    /// Of the peers that anything is known of.
    public var reputations: [PeerID: Reputation]

    public init(holders: [HolderSnapshot] = [], reputations: [PeerID: Reputation] = [:]) {
        self.holders = holders
        self.reputations = reputations
    }

    /// A pair of a peer and a content.
    public struct Holder: Hashable, Sendable {
        public var peer: PeerID
        public var content: ContentHash

        public init(peer: PeerID, content: ContentHash) {
            self.peer = peer
            self.content = content
        }
    }

    /// A record with what it is found by. Of one author about one pair the latest of each kind is kept.
    public struct Record: Hashable, Sendable {
        /// Whom and what it is about.
        public var holder: Holder
        /// Who has signed it.
        public var author: PeerID
        /// False: an announcement or a withdrawal.
        public var isReport: Bool
        /// Checked when it was received.
        public var record: SignedRecord

        public init(holder: Holder, author: PeerID, isReport: Bool, record: SignedRecord) {
            self.holder = holder
            self.author = author
            self.isReport = isReport
            self.record = record
        }
    }

    /// What is to be kept, in one step, in place of what was kept before.
    public struct Changes: Hashable, Sendable {
        /// New, or different.
        public var holders: [HolderSnapshot]
        /// Pairs of which nothing is to be kept.
        public var forgotten: [Holder]
        /// New, or different.
        public var reputations: [PeerID: Reputation]
        /// To be added; the store keeps as many as it has room for, the latest.
        public var records: [Record]

        public init(holders: [HolderSnapshot] = [], forgotten: [Holder] = [], reputations: [PeerID: Reputation] = [:], records: [Record] = []) {
            self.holders = holders
            self.forgotten = forgotten
            self.reputations = reputations
            self.records = records
        }

        /// Whether there is nothing to do.
        public var isEmpty: Bool { self.holders.isEmpty && self.forgotten.isEmpty && self.reputations.isEmpty && self.records.isEmpty }
    }
}
