import DIGContent
import DIGIdentity
import DIGNet
import Foundation
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import DIGTransfer

/// Says what the test says.
final class TestGate: ContentGate {
    let refusals = Mutex<[ContentHash: GateRefusal]>([:])
    let questions = Mutex<[ContentHash]>([])

    func verdict(for content: ContentHash, on connection: any Connection) async -> GateVerdict {
        self.questions.withLock { $0.append(content) }
        return self.refusals.withLock { $0[content] }.map { .refused($0) } ?? .admitted
    }

    func set(_ refusal: GateRefusal?, for hash: ContentHash) { self.refusals.withLock { $0[hash] = refusal } }
}

/// Opens the gate, or does not.
final class TestAuthenticator: PeerAuthenticator {
    let count = Atomic(0)
    let body: @Sendable (ContentHash) async throws(TransferError) -> Void

    init(_ body: @escaping @Sendable (ContentHash) async throws(TransferError) -> Void) { self.body = body }

    func authenticate(for content: ContentHash, on connection: any Connection) async throws(TransferError) {
        self.count.add(1, ordering: .relaxed)
        try await self.body(content)
    }
}

@Suite("content gate", .timeLimit(.minutes(5)))
struct ContentGateTests {
    static let chunk = 65_536

    struct Setup {
        let file: SharedFile
        let provider = TestProvider()
        let gate = TestGate()
        let host: TransferHost
        /// What the gate is asked about.
        let connection: LoopbackConnection

        init(byteCount: Int = 3_000_000, configuration: TransferHostConfiguration = TransferHostConfiguration()) async throws {
            self.file = try SharedFile(byteCount: byteCount)
            try self.provider.add(self.file)
            self.host = TransferHost(
                provider: self.provider, gate: self.gate, configuration: configuration, threadPool: .singleton, logger: Logger(label: "gate"))
            self.connection = try await LoopbackConnection { channel, _ in channel.eventLoop.makeSucceededVoidFuture() }
        }

        var hash: ContentHash { self.file.descriptor.contentHash }

        func fixture() async throws -> HostFixture { try await HostFixture(provider: self.provider, host: self.host, connection: self.connection) }

        func client() async throws -> LoopbackConnection {
            let (host, connection) = (self.host, self.connection)
            return try await LoopbackConnection { channel, peer in host.serve(channel, peer: peer, connection: connection) }
        }
    }

    @Test("a refused peer learns nothing but the reason, whatever it asks", arguments: GateRefusal.allCases)
    func refused(_ refusal: GateRefusal) async throws {
        let setup = try await Setup()
        setup.gate.set(refusal, for: setup.hash)
        let fixture = try await setup.fixture()
        let description = try await fixture.describe(setup.hash)
        #expect(description == ContentDescription(.refused(refusal.reason)))
        #expect(description?.name == nil && description?.bindings.isEmpty == true)
        let range = try #require(ChunkRange(first: 0, count: 2))
        try await fixture.send(.getChunks(range))
        #expect(try await fixture.next() == .response(1, .chunksUnavailable(range, refusal.reason)))
        try await fixture.send(.getHashes(HashRequest(layer: 2, index: 0, count: 4, proofLayers: 2)))
        #expect(try await fixture.next() == .response(1, .hashesUnavailable(HashRequestID(layer: 2, index: 0, count: 4), refusal.reason)))
        try await fixture.send(.prove(block: 0, nonce: [1]))
        #expect(try await fixture.next() == .response(1, .proofUnavailable(block: 0, nonce: [1], refusal.reason)))
        try await fixture.send([(1, .subscribe), (1, .getListing(offset: 0, byteCount: 10))])
        #expect(try await fixture.next() == .response(1, .listingPart(offset: 0, bytes: [])))
        // Nothing was opened, read, or hashed for it.
        #expect(setup.host.openedFileCount == 0)
        #expect(setup.host.statistics().byteCount == 0)
    }

    @Test("requests sent right behind the description are refused with it")
    func pipelined() async throws {
        let setup = try await Setup()
        setup.gate.set(.notAuthorized, for: setup.hash)
        let fixture = try await setup.fixture()
        let range = try #require(ChunkRange(first: 0, count: 1))
        try await fixture.send([(1, .describe(setup.hash, chunkLayer: nil)), (1, .getChunks(range))])
        #expect(try await fixture.next() == .response(1, .description(ContentDescription(.refused(.notAuthorized)))))
        #expect(try await fixture.next() == .response(1, .chunksUnavailable(range, .notAuthorized)))
    }

    @Test("with a gate and without a connection to ask it about, everything is refused")
    func noConnection() async throws {
        let setup = try await Setup()
        let fixture = try await HostFixture(provider: setup.provider, host: setup.host)
        #expect(try await fixture.describe(setup.hash)?.content == .refused(.notAuthorized))
        #expect(setup.gate.questions.withLock { $0.isEmpty })
    }

    @Test("the gate is asked once for each description, never for a chunk")
    func asked() async throws {
        let setup = try await Setup()
        let fixture = try await setup.fixture()
        _ = try await fixture.describe(setup.hash)
        try await fixture.send(.getChunks(try #require(ChunkRange(first: 0, count: 40))))
        #expect(try await fixture.chunks(40).count == 40)
        #expect(setup.gate.questions.withLock { $0 } == [setup.hash])
    }

    @Test("names of contents that the peer may not have are left out, and it is told that proving something may help")
    func names() async throws {
        let setup = try await Setup()
        let other = ContentHash(digest: SHA256Digest(hashing: [1]))
        let signer = try KeyPair.generate()
        let key = BindingKey.name("holiday")
        let envelopes = try [setup.hash, other].map { try NameBinding.sign(key, as: $0, timestampMilliseconds: 1, with: signer) }
        setup.provider.state.withLock { $0.bindings[key] = envelopes }
        let fixture = try await setup.fixture()
        for (refusal, withheld) in [(GateRefusal.authenticationRequired, UnavailableReason.authenticationRequired), (.notAuthorized, .notAuthorized)] {
            setup.gate.set(refusal, for: other)
            try await fixture.send(.resolve(requestID: 1, key), handle: 0)
            #expect(try await fixture.next() == .response(0, .resolved(requestID: 1, bindings: [envelopes[0].encoded], withheld: withheld)))
        }
        setup.gate.set(nil, for: other)
        try await fixture.send(.resolve(requestID: 2, key), handle: 0)
        #expect(try await fixture.next() == .response(0, .resolved(requestID: 2, bindings: envelopes.map(\.encoded))))
    }

    @Test("what is admitted no more gives no further chunk, also none that was read ahead")
    func review() async throws {
        let setup = try await Setup()
        let fixture = try await setup.fixture()
        _ = try await fixture.describe(setup.hash)
        try await fixture.setWritable(false)
        try await fixture.send(.getChunks(try #require(ChunkRange(first: 0, count: 40))))
        try await fixture.settle()
        #expect(await setup.host.reviewAdmissions() == 0)
        setup.gate.set(.notAuthorized, for: setup.hash)
        #expect(await setup.host.reviewAdmissions() == 1)
        try await fixture.settle()
        try await fixture.setWritable(true)
        var refused = 0
        while refused < 40 {
            switch try await fixture.next() {
            case .response(1, .chunksUnavailable(let range, .notAuthorized)): refused += range.indices.count
            case let other: Issue.record("\(other)"); return
            }
        }
        #expect(try await fixture.outstandingChunkCount() == 0)
        #expect(try await fixture.isIdle())
        try await fixture.send(.getChunks(try #require(ChunkRange(first: 0, count: 1))))
        #expect(try await fixture.next() == .response(1, .chunksUnavailable(try #require(ChunkRange(first: 0, count: 1)), .notAuthorized)))
        // What is withdrawn is not looked at again.
        #expect(await setup.host.reviewAdmissions() == 0)
    }

    @Test("a content is withdrawn from one connection and goes on on another")
    func withdraw() async throws {
        let setup = try await Setup()
        let fixture = try await setup.fixture()
        let stranger = try await LoopbackConnection { channel, _ in channel.eventLoop.makeSucceededVoidFuture() }
        let other = try await HostFixture(provider: setup.provider, host: setup.host, connection: stranger)
        _ = try await fixture.describe(setup.hash)
        _ = try await other.describe(setup.hash)
        setup.host.withdraw(setup.hash, from: setup.connection.id)
        try await fixture.settle()
        let range = try #require(ChunkRange(first: 0, count: 1))
        try await fixture.send(.getChunks(range))
        #expect(try await fixture.next() == .response(1, .chunksUnavailable(range, .notAuthorized)))
        try await other.send(.getChunks(range))
        #expect(try await other.chunks(1).count == 1)
    }

    // MARK: The asking side

    @Test("a download proves who it is when it is asked to, or for more, and goes on", arguments: [10, 65_536, 3_000_000], [false, true])
    func authenticates(byteCount: Int, knowsDescriptor: Bool) async throws {
        let setup = try await Setup(byteCount: byteCount)
        setup.gate.set(byteCount == 10 ? .notAuthorized : .authenticationRequired, for: setup.hash)
        let gate = setup.gate
        let hash = setup.hash
        let authenticator = TestAuthenticator { content throws(TransferError) in
            #expect(content == hash)
            gate.set(nil, for: hash)
        }
        let directory = try ScratchDirectory()
        let download = try FileDownload.test(setup.hash, descriptor: knowsDescriptor ? setup.file.descriptor : nil, in: directory) {
            $0.authenticator = authenticator
        }
        download.add(try await setup.client())
        let result = try await download.run()
        let isSame = directory.bytes("copy") == setup.file.bytes
        #expect(isSame)
        #expect(result.failures.isEmpty)
        #expect(authenticator.count.load(ordering: .relaxed) == 1)
    }

    @Test("what could not be proven is in the error, and the peer is left out")
    func fails() async throws {
        let setup = try await Setup()
        setup.gate.set(.authenticationRequired, for: setup.hash)
        let directory = try ScratchDirectory()
        let download = try FileDownload.test(setup.hash, descriptor: setup.file.descriptor, in: directory) {
            $0.authenticator = TestAuthenticator { _ throws(TransferError) in throw TransferError(.notAuthorized, "the token has expired") }
        }
        download.add(try await setup.client())
        let error = await download.failure()
        #expect(error?.code == .noHolders)
        #expect(error?.peers.map(\.error.code) == [.notAuthorized])
        #expect(error?.description.contains("the token has expired") == true)
        #expect(setup.host.statistics().byteCount == 0)
    }

    @Test("a peer that refuses again after the proof is asked no third time")
    func refusesAgain() async throws {
        let setup = try await Setup()
        setup.gate.set(.authenticationRequired, for: setup.hash)
        let directory = try ScratchDirectory()
        let authenticator = TestAuthenticator { _ throws(TransferError) in }
        let download = try FileDownload.test(setup.hash, in: directory) { $0.authenticator = authenticator }
        download.add(try await setup.client())
        let error = await download.failure()
        #expect(error?.peers.map(\.error.code) == [.authenticationRequired])
        #expect(authenticator.count.load(ordering: .relaxed) == 1)
        #expect(setup.gate.questions.withLock { $0.count } == 2)
    }

    @Test("without anything to prove it with, the error says what to do")
    func noAuthenticator() async throws {
        let setup = try await Setup()
        setup.gate.set(.authenticationRequired, for: setup.hash)
        let directory = try ScratchDirectory()
        let download = try FileDownload.test(setup.hash, in: directory)
        download.add(try await setup.client())
        let error = await download.failure()
        #expect(error?.peers.map(\.error.code) == [.authenticationRequired])
        #expect(error?.description.contains("token") == true)
    }
}
