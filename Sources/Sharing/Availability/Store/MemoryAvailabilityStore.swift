public import DIGContent
import DIGIdentity
import Synchronization

/// Keeps everything in memory, for tests and for nodes that need not remember.
public final class MemoryAvailabilityStore: AvailabilityStore {
    private struct Key: Hashable {
        var holder: AvailabilityContents.Holder
        var author: PeerID
        var isReport: Bool
    }

    private struct State {
        var holders: [AvailabilityContents.Holder: HolderRecord] = [:]
        var reputations: [PeerID: Reputation] = [:]
        var records: [Key: SignedRecord] = [:]
    }

    private let state = Mutex(State())
    private let recordLimit: Int

    /// - Parameter recordLimit: Signed records; when there are more, the oldest go.
    public init(recordLimit: Int = 100_000) { self.recordLimit = max(1, recordLimit) }

    public func load() async throws -> AvailabilityContents {
        self.state.withLock { state in
            AvailabilityContents(
                holders: state.holders.map { HolderSnapshot(peer: $0.key.peer, content: $0.key.content, record: $0.value) }, reputations: state.reputations)
        }
    }

    public func save(_ changes: AvailabilityContents.Changes) async throws {
        self.state.withLock { state in
            for snapshot in changes.holders { state.holders[.init(peer: snapshot.peer, content: snapshot.content)] = snapshot.record }
            for holder in changes.forgotten { state.holders[holder] = nil }
            state.reputations.merge(changes.reputations) { $1 }
            for entry in changes.records { state.records[Key(holder: entry.holder, author: entry.author, isReport: entry.isReport)] = entry.record }
            guard state.records.count > self.recordLimit else { return }
            let surplus = state.records.count - self.recordLimit + self.recordLimit / 16
            for (key, _) in state.records.sorted(by: { $0.value.receivedMilliseconds < $1.value.receivedMilliseconds }).prefix(surplus) { state.records[key] = nil }
        }
    }

    public func records(about content: ContentHash?, limit: Int) async throws -> [SignedRecord] {
        self.state.withLock { state in
            Array(
                state.records.lazy.filter { content == nil || $0.key.holder.content == content }.map(\.value)
                    .sorted { $0.receivedMilliseconds > $1.receivedMilliseconds }.prefix(max(0, limit)))
        }
    }
}
