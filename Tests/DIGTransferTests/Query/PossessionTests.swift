import DIGContent
import DIGNet
import DIGTestSupport
import Foundation
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import DIGTransfer

@Suite("Proof of possession", .timeLimit(.minutes(5)))
struct PossessionTests {
    private func asking(_ provider: TestProvider, gate: (any ContentGate)? = nil) async throws -> TransferQuery {
        let host = TransferHost(provider: provider, gate: gate, threadPool: .singleton, logger: Logger(label: "test"))
        return TransferQuery(to: try await LoopbackConnection { channel, peer in host.serve(channel, peer: peer) }, timeout: .seconds(60))
    }

    @Test("whoever has the file proves it, whatever its size", arguments: [0, 1, 16_384, 16_385, 100_000, 3_000_001])
    func has(_ byteCount: Int) async throws {
        let file = try SharedFile(byteCount: byteCount)
        let provider = TestProvider()
        try provider.add(file)
        let query = try await self.asking(provider)
        for _ in 0..<10 { #expect(try await query.possession(of: file.descriptor.contentHash) == .proven) }
    }

    @Test("whoever holds a part is asked for a block of it; whoever holds nothing yet lacks it")
    func partial() async throws {
        let file = try SharedFile(byteCount: 3_000_000)
        let provider = TestProvider()
        let held = PartialAvailability(ChunkBitmap(count: 46))
        try provider.add(file, availability: held)
        let query = try await self.asking(provider)
        #expect(try await query.possession(of: file.descriptor.contentHash) == .lacks(.notHeld))
        held.insert(7..<8)
        held.insert(45..<46)
        for _ in 0..<20 { #expect(try await query.possession(of: file.descriptor.contentHash) == .proven) }
    }

    @Test("who never had it says so; who has deleted, changed or cut its file is found out, and says so the next time")
    func lacks() async throws {
        let provider = TestProvider()
        let query = try await self.asking(provider)
        #expect(try await query.possession(of: ContentHash(digest: SHA256Digest(hashing: [1]))) == .lacks(.notHeld))
        let harms: [(String) throws -> Void] = [
            { try FileManager.default.removeItem(atPath: $0) },
            { try Data([1, 2, 3]).write(to: URL(fileURLWithPath: $0)) },
            { try Data(count: 3_000_000).write(to: URL(fileURLWithPath: $0)) },
        ]
        for harm in harms {
            let file = try SharedFile(byteCount: 3_000_000)
            try provider.add(file)
            #expect(try await query.possession(of: file.descriptor.contentHash) == .proven)
            try harm(file.path)
            #expect(try await query.possession(of: file.descriptor.contentHash) == .lacks(.changed))
        }
    }

    @Test("who is refused learns nothing of what the peer has")
    func refused() async throws {
        let file = try SharedFile(byteCount: 100)
        let provider = TestProvider()
        try provider.add(file)
        let gate = TestGate()
        gate.set(.authenticationRequired, for: file.descriptor.contentHash)
        let host = TransferHost(provider: provider, gate: gate, threadPool: .singleton, logger: Logger(label: "test"))
        let itself = try await LoopbackConnection { channel, _ in channel.eventLoop.makeSucceededVoidFuture() }
        let connection = try await LoopbackConnection { channel, peer in host.serve(channel, peer: peer, connection: itself) }
        #expect(try await TransferQuery(to: connection, timeout: .seconds(60)).possession(of: file.descriptor.contentHash) == .refused(.authenticationRequired))
        gate.set(nil, for: file.descriptor.contentHash)
        #expect(try await TransferQuery(to: connection, timeout: .seconds(60)).possession(of: file.descriptor.contentHash) == .proven)
    }

    @Test("of a folder a block of one of its files is asked")
    func folder() async throws {
        let files = try (0..<5).map { try SharedFile(byteCount: 50_000 + $0, seed: UInt64($0 + 1)) }
        let listing = try FolderListing(entries: try files.enumerated().map { .init(path: try SafePath("f\($0.offset)"), descriptor: $0.element.descriptor) })
        let provider = TestProvider()
        provider.state.withLock { $0.contents[listing.contentHash] = .folder(HostedFolder(contentHash: listing.contentHash, listing: listing.encoded)) }
        let query = try await self.asking(provider)
        // The listing alone is not the folder.
        #expect(try await query.possession(of: listing.contentHash) == .lacks(.notHeld))
        for file in files { try provider.add(file) }
        for _ in 0..<20 { #expect(try await query.possession(of: listing.contentHash) == .proven) }
    }

    // MARK: The dialogue as a value

    struct Script {
        let file: SharedFile
        var dialogue: PossessionDialogue
        let nonce: [UInt8] = [1, 2, 3]

        init(byteCount: Int = 300_000) throws {
            self.file = try SharedFile(byteCount: byteCount)
            self.dialogue = PossessionDialogue(self.file.descriptor.contentHash, nonce: [1, 2, 3], generator: SeededGenerator(seed: 1))
        }

        var description: TransferResponse {
            .description(ContentDescription(.file(size: self.file.descriptor.size, root: self.file.descriptor.root, chunkLayer: 2)))
        }

        /// Up to the question for a block.
        mutating func asked() throws -> Int {
            #expect(try self.dialogue.received(self.description, handle: 1) == .wait)
            let step = try self.dialogue.received(.bitfield(.complete), handle: 1)
            guard case .ask(let asks) = step, case .prove(let block, let nonce)? = asks.first?.request, asks.count == 1 else {
                Issue.record("\(step)")
                return -1
            }
            #expect(nonce == self.nonce && block >= 0 && block < 19)
            return block
        }

        func proof(of block: Int) throws -> BlockProof {
            let prover = TreeProver(self.file.layer)
            return try BlockProof(block: block, fileAt: self.file.path, stamp: FileStamp(ofFileAt: self.file.path), prover: prover)
        }
    }

    @Test("what is not the block asked for is no proof")
    func wrongProofs() throws {
        var script = try Script()
        #expect(script.dialogue.begin().map(\.request) == [.describe(script.file.descriptor.contentHash, chunkLayer: nil), .subscribe])
        let block = try script.asked()
        let right = try script.proof(of: block)
        var bytes = right.bytes
        bytes[100] ^= 1
        let wrong = [
            (try script.proof(of: (block + 1) % 19), script.nonce), (right, [1, 2, 4]), (BlockProof(block: block, bytes: bytes, uncles: right.uncles), script.nonce),
            (BlockProof(block: block, bytes: right.bytes, uncles: Array(right.uncles.dropLast())), script.nonce),
            (BlockProof(block: block, bytes: [], uncles: right.uncles), script.nonce),
        ]
        for (proof, nonce) in wrong {
            var dialogue = script.dialogue
            #expect(try dialogue.received(.proof(proof, nonce: nonce), handle: 1) == .end(.lacks(.wrongBytes)))
        }
        #expect(try script.dialogue.received(.proof(right, nonce: script.nonce), handle: 1) == .end(.proven))
    }

    @Test("what nobody asked for ends the question, and what is too late or about another handle does not")
    func order() throws {
        var script = try Script()
        var early = script.dialogue
        #expect(throws: TransferError(.protocolViolation, "")) { try early.received(.bitfield(.complete), handle: 1) }
        #expect(try script.dialogue.received(.bitfield(.complete), handle: 2) == .wait)
        let block = try script.asked()
        #expect(try script.dialogue.received(.have([]), handle: 1) == .wait)
        for response in [script.description, .proofUnavailable(block: block + 1, nonce: script.nonce, .busy), .proofUnavailable(block: block, nonce: [], .busy), .resolved(requestID: 1, bindings: [], withheld: nil)] {
            var dialogue = script.dialogue
            #expect(throws: TransferError(.protocolViolation, "")) { try dialogue.received(response, handle: 1) }
        }
        #expect(try script.dialogue.received(.proofUnavailable(block: block, nonce: script.nonce, .busy), handle: 1) == .end(.refused(.busy)))
    }

    @Test("descriptions of something else, and lists of chunks that are none")
    func wrongDescriptions() throws {
        let script = try Script()
        let descriptor = script.file.descriptor
        let wrong: [ContentDescription.Content] = [
            .file(size: descriptor.size + 1, root: descriptor.root, chunkLayer: 2), .file(size: descriptor.size, root: .zero, chunkLayer: 2),
            .file(size: descriptor.size, root: descriptor.root, chunkLayer: 7), .file(size: descriptor.size, root: descriptor.root, chunkLayer: -1), .folder(byteCount: 0),
            .folder(byteCount: .max),
        ]
        for content in wrong {
            var dialogue = script.dialogue
            #expect(try dialogue.received(.description(ContentDescription(content)), handle: 1) == .end(.lacks(.wrongBytes)))
        }
        for part in [BitfieldPart.part(first: 8, bits: [1]), .part(first: 1, bits: [1]), .part(first: 0, bits: [0xFF]), .part(first: 0, bits: [1, 1])] {
            var dialogue = script.dialogue
            _ = try dialogue.received(script.description, handle: 1)
            #expect(throws: TransferError(.protocolViolation, "")) { try dialogue.received(.bitfield(part), handle: 1) }
        }
        var none = script.dialogue
        _ = try none.received(script.description, handle: 1)
        #expect(try none.received(.bitfield(.part(first: 0, bits: [0])), handle: 1) == .end(.lacks(.notHeld)))
    }
}
