public import DIGContent
public import DIGIdentity

/// Where what is known survives a restart.
///
/// Calls come one after another. What a store loses costs knowledge, never safety: a holder that is forgotten is new.
public protocol AvailabilityStore: Sendable {
    /// Everything, as it was saved last.
    func load() async throws -> AvailabilityContents
    /// Keeps what has changed.
    func save(_ changes: AvailabilityContents.Changes) async throws
    /// The signed records about a content, or all; the latest first.
    func records(about content: ContentHash?, limit: Int) async throws -> [SignedRecord]
}

/// What an ``AvailabilityStore`` holds beside signed records.
public struct AvailabilityContents: Hashable, Sendable {
    public var holders: [HolderSnapshot]
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
        public var holder: Holder
        public var author: PeerID
        public var isReport: Bool
        public var record: SignedRecord

        public init(holder: Holder, author: PeerID, isReport: Bool, record: SignedRecord) {
            self.holder = holder
            self.author = author
            self.isReport = isReport
            self.record = record
        }
    }

    public struct Changes: Hashable, Sendable {
        public var holders: [HolderSnapshot]
        public var forgotten: [Holder]
        public var reputations: [PeerID: Reputation]
        public var records: [Record]

        public init(holders: [HolderSnapshot] = [], forgotten: [Holder] = [], reputations: [PeerID: Reputation] = [:], records: [Record] = []) {
            self.holders = holders
            self.forgotten = forgotten
            self.reputations = reputations
            self.records = records
        }

        public var isEmpty: Bool { self.holders.isEmpty && self.forgotten.isEmpty && self.reputations.isEmpty && self.records.isEmpty }
    }
}
