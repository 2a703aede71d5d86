import DIGAnnouncement
import DIGIdentity
import DIGMultiformats
import DIGTestSupport
import Logging
import Synchronization
import Testing

@testable import DIGDiscovery

enum Fixture {
    static let logger = Logger(label: "discovery", factory: { _ in SwiftLogNoOpLogHandler() })
    static let ourselves = peer(0)

    /// A name that nobody has a key for.
    static func peer(_ number: UInt64) -> PeerID {
        var generator = SeededGenerator(seed: number)
        let digest = (0..<32).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
        do { return try PeerID(multihash: Multihash(code: .sha2_256, digest: digest)) } catch { fatalError("a digest of 32 bytes: \(error)") }
    }

    static func address(_ number: Int) -> Multiaddr {
        Multiaddr(components: [.ip4(IPv4Address(192, 0, UInt8(truncatingIfNeeded: number >> 8), UInt8(truncatingIfNeeded: number))), .tcp(4001)])
    }

    static func key(_ number: Int) -> RendezvousKey {
        let bytes = [UInt8](repeating: 0, count: 24) + (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
        guard let key = RendezvousKey(bytes: bytes) else { fatalError("32 bytes") }
        return key
    }
}

/// Does what a test says, when it says so.
final class FakeMechanism: DiscoveryMechanism {
    enum Announcing: Sendable {
        case taken(Int)
        case failing
        /// Never comes back, however often it is cancelled, until it is released.
        case stuck
    }

    struct Failure: Error, CustomStringConvertible {
        var description: String { "out of order" }
    }

    private struct State {
        var searches: [AsyncThrowingStream<FoundHolder, any Error>.Continuation] = []
        var endedSearches = 0
        var announcing = Announcing.taken(3)
        var announced: [AnnouncedContent] = []
        var withdrawn: [RendezvousKey] = []
        var background: [AnnouncedContent] = []
        var stuck: [CheckedContinuation<Void, Never>] = []
    }

    let source: DiscoverySource
    let isListening: Bool
    let keepsAnnouncing: Bool
    private let takesOver: Bool
    private let onSearch: @Sendable (AsyncThrowingStream<FoundHolder, any Error>.Continuation) -> Void
    private let state = Mutex(State())

    /// - Parameter onSearch: What happens as soon as somebody searches.
    init(
        _ source: DiscoverySource, isListening: Bool = false, keepsAnnouncing: Bool = false, takesOver: Bool = false,
        onSearch: @escaping @Sendable (AsyncThrowingStream<FoundHolder, any Error>.Continuation) -> Void = { _ in }
    ) {
        self.source = source
        self.isListening = isListening
        self.keepsAnnouncing = keepsAnnouncing
        self.takesOver = takesOver
        self.onSearch = onSearch
    }

    /// Names these and ends.
    static func answering(_ source: DiscoverySource, _ holders: [FoundHolder]) -> FakeMechanism {
        FakeMechanism(source) { continuation in
            for holder in holders { continuation.yield(holder) }
            continuation.finish()
        }
    }

    static func failing(_ source: DiscoverySource) -> FakeMechanism { FakeMechanism(source) { $0.finish(throwing: Failure()) } }

    /// Names new peers for as long as anybody listens.
    static func flooding(_ source: DiscoverySource) -> FakeMechanism {
        FakeMechanism(source) { continuation in
            for number in 1...100 as ClosedRange<UInt64> { continuation.yield(FoundHolder(Fixture.peer(number + 1_000_000), addresses: [])) }
            let flood = Task.detached {
                var number: UInt64 = 2_000_000
                while !Task.isCancelled {
                    number += 1
                    continuation.yield(FoundHolder(Fixture.peer(number), addresses: []))
                    await Task.yield()
                }
            }
            continuation.onTermination = { _ in flood.cancel() }
        }
    }

    var searchCount: Int { self.state.withLock { $0.searches.count } }
    var endedSearchCount: Int { self.state.withLock { $0.endedSearches } }
    var announced: [AnnouncedContent] { self.state.withLock { $0.announced } }
    var withdrawn: [RendezvousKey] { self.state.withLock { $0.withdrawn } }
    var background: [AnnouncedContent] { self.state.withLock { $0.background } }
    var stuckCount: Int { self.state.withLock { $0.stuck.count } }

    func set(_ announcing: Announcing) { self.state.withLock { $0.announcing = announcing } }

    /// To the searches under way.
    func say(_ holder: FoundHolder) { for search in self.state.withLock({ $0.searches }) { search.yield(holder) } }
    func end() { for search in self.state.withLock({ $0.searches }) { search.finish() } }

    func release() {
        let stuck = self.state.withLock { state in
            defer { state.stuck = [] }
            return state.stuck
        }
        for continuation in stuck { continuation.resume() }
    }

    func findHolders(of key: RendezvousKey) -> AsyncThrowingStream<FoundHolder, any Error> {
        let (stream, continuation) = AsyncThrowingStream.makeStream(of: FoundHolder.self, bufferingPolicy: .bufferingNewest(64))
        self.state.withLock { $0.searches.append(continuation) }
        continuation.onTermination = { [weak self] _ in
            Task { self?.state.withLock { $0.endedSearches += 1 } }
        }
        self.onSearch(continuation)
        return stream
    }

    func announce(_ content: AnnouncedContent) async throws -> Int {
        let announcing = self.state.withLock { state in
            state.announced.append(content)
            return state.announcing
        }
        return try await self.answer(announcing)
    }

    func announceInBackground(_ contents: [AnnouncedContent]) throws -> Bool {
        guard self.takesOver else { return false }
        self.state.withLock { $0.background += contents }
        return true
    }

    func withdraw(_ key: RendezvousKey) async throws {
        let announcing = self.state.withLock { state in
            state.withdrawn.append(key)
            return state.announcing
        }
        _ = try await self.answer(announcing)
    }

    private func answer(_ announcing: Announcing) async throws -> Int {
        switch announcing {
        case .taken(let count): return count
        case .failing: throw Failure()
        case .stuck:
            await withCheckedContinuation { continuation in self.state.withLock { $0.stuck.append(continuation) } }
            return 0
        }
    }
}
