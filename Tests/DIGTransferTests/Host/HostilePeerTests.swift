import DIGContent
import DIGTestSupport
import Foundation
import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import DIGTransfer

@Suite("transfer host with a hostile peer", .timeLimit(.minutes(5)))
struct HostilePeerTests {
    static let chunk = 65_536

    static func range(_ first: UInt32, _ count: UInt32) -> ChunkRange { ControlCodecTests.range(first, count) }

    @Test("reads a bounded number of bytes for a peer that does not read")
    func backPressure() async throws {
        var configuration = TransferHostConfiguration()
        configuration.readAheadByteCount = 1024 * 1024
        let file = try SharedFile(byteCount: 400 * Self.chunk)
        let fixture = try await HostFixture(configuration: configuration)
        try fixture.provider.add(file)
        _ = try await fixture.describe(file.descriptor.contentHash)
        try await fixture.setWritable(false)
        try await fixture.send(.getChunks(Self.range(0, 400)))
        try await fixture.settle()
        #expect(try await fixture.pending() == [])
        let buffered = try await fixture.bufferedByteCount()
        #expect(buffered > 0)
        #expect(buffered <= configuration.readAheadByteCount)

        // It stops asking the stream for more as well.
        let reads = fixture.reads.count.load(ordering: .relaxed)
        let channel = fixture.channel
        try await channel.testingEventLoop.executeInContext { channel.pipeline.read() }
        #expect(fixture.reads.count.load(ordering: .relaxed) == reads)

        try await fixture.setWritable(true)
        #expect(fixture.reads.count.load(ordering: .relaxed) == reads + 1)
        #expect(try await fixture.chunks(400).flatMap(\.bytes) == file.bytes)
        #expect(try await fixture.bufferedByteCount() == 0)

        // And resets a peer that never reads again.
        try await fixture.setWritable(false)
        try await fixture.send(.getChunks(Self.range(0, 400)))
        try await fixture.settle()
        await fixture.channel.testingEventLoop.advanceTime(by: .seconds(120))
        try await fixture.channel.closeFuture.get()
    }

    @Test("bounds the chunks owed: the rest is refused as busy")
    func chunkFlood() async throws {
        let file = try SharedFile(byteCount: 400 * 16_384, chunkLayer: 0)
        let fixture = try await HostFixture()
        try fixture.provider.add(file)
        _ = try await fixture.describe(file.descriptor.contentHash)
        try await fixture.setWritable(false)
        // 2^32 - 1 chunks: those that exist are owed, the rest is out of range.
        try await fixture.send(.getChunks(Self.range(0, .max)))
        for _ in 0..<20 { try await fixture.send(.getChunks(Self.range(0, 400))) }
        try await fixture.settle()
        try await fixture.setWritable(true)
        var served = 0
        var busy = 0
        var beyond = 0
        while served + busy < 21 * 400 {
            switch try await fixture.next() {
            case .chunk: served += 1
            case .response(1, .chunksUnavailable(let range, .busy)): busy += Int(range.count)
            case .response(1, .chunksUnavailable(let range, .outOfRange)): beyond += Int(range.count)
            case .response(let handle, let response): Issue.record("\(handle) \(response)")
            }
        }
        #expect(served == TransferLimits.maximumOutstandingChunkCount)
        #expect(beyond == Int(UInt32.max) - 400)
    }

    @Test("does not decode more requests than it can hold")
    func requestFlood() async throws {
        let file = try SharedFile(byteCount: 400 * Self.chunk)
        let fixture = try await HostFixture()
        try fixture.provider.add(file)
        _ = try await fixture.describe(file.descriptor.contentHash)
        try await fixture.setWritable(false)
        var flood = ByteBuffer()
        for _ in 0..<5000 { flood.writeTransferRequest(.getHashes(HashRequest(layer: 2, index: 0, count: 256, proofLayers: 0)), handle: 1) }
        try await fixture.channel.writeInbound(flood)
        try await fixture.settle()
        // No more of the stream is asked for until what is here has been answered.
        let reads = fixture.reads.count.load(ordering: .relaxed)
        let channel = fixture.channel
        try await channel.testingEventLoop.executeInContext { channel.pipeline.read() }
        #expect(fixture.reads.count.load(ordering: .relaxed) == reads)
        try await fixture.setWritable(true)
        var answers = 0
        while answers < 5000 {
            guard case .response(1, .hashes) = try await fixture.next() else {
                Issue.record("not a hash answer")
                return
            }
            answers += 1
        }
        #expect(fixture.reads.count.load(ordering: .relaxed) == reads + 1)
    }

    @Test(
        "resets a stream that breaks the protocol",
        arguments: [
            "01 00 0000 00000001 00000000 00000001 00",  // a chunk to a host
            "00 00 0000 00000001 00000000 00000005 9a02020801",  // a response to a host
            "07 00 0000 00000001 00000000 00000000",
            "00 00 0000 00000001 00000000 ffffffff",
            "00 00 0000 00000001 00000000 00000006 1a0408031000",  // count 0
            "00 00 0000 00000001 00000000 0000000e 1a0c08ffffffff0f10ffffffff0f",  // first + count overflows
            "00 00 0000 00000001 00000000 0000000c 4a0a08091a067265706f7274",  // resolve on a handle
        ])
    func violations(_ hex: String) async throws {
        let fixture = try await HostFixture()
        try await fixture.channel.writeInbound(ByteBuffer(bytes: Hex.bytes(hex)))
        try await fixture.channel.closeFuture.get()
        #expect(fixture.host.statistics().violationCount == 1)
        #expect(fixture.host.statistics().sessionCount == 0)
    }

    @Test("resets a stream that opens a handle twice")
    func handleReuse() async throws {
        let file = try SharedFile(byteCount: 10)
        let fixture = try await HostFixture()
        try fixture.provider.add(file)
        _ = try await fixture.describe(file.descriptor.contentHash)
        try await fixture.send(.describe(file.descriptor.contentHash, chunkLayer: nil))
        try await fixture.channel.closeFuture.get()
    }

    @Test("lets a handle be used again after its release")
    func handleAfterRelease() async throws {
        let a = try SharedFile(byteCount: 30 * Self.chunk, seed: 1)
        let b = try SharedFile(byteCount: 100, seed: 2)
        let fixture = try await HostFixture()
        try fixture.provider.add(a)
        try fixture.provider.add(b)
        _ = try await fixture.describe(a.descriptor.contentHash)
        try await fixture.setWritable(false)
        try await fixture.send([
            (1, .getChunks(Self.range(0, 30))), (1, .release), (1, .describe(b.descriptor.contentHash, chunkLayer: nil)),
            (1, .getChunks(Self.range(0, 1))),
        ])
        try await fixture.settle()
        try await fixture.setWritable(true)
        guard case .response(1, .description(let description)) = try await fixture.next() else {
            Issue.record("a chunk of the released handle")
            return
        }
        #expect(description.content == .file(size: 100, root: b.descriptor.root, chunkLayer: 2))
        #expect(try await fixture.next() == .chunk(1, 0, b.bytes))
    }

    @Test("answers for handles that are not open")
    func unknownHandle() async throws {
        let fixture = try await HostFixture()
        try await fixture.send([
            (9, .getChunks(Self.range(0, 5))), (9, .getHashes(HashRequest(layer: 2, index: 0, count: 1, proofLayers: 0))),
            (9, .prove(block: 1, nonce: [])), (9, .getListing(offset: 0, byteCount: 9)), (9, .release), (9, .cancel(Self.range(0, 1))), (9, .subscribe),
        ])
        #expect(try await fixture.next() == .response(9, .chunksUnavailable(Self.range(0, 5), .notHeld)))
        #expect(try await fixture.next() == .response(9, .hashesUnavailable(HashRequestID(layer: 2, index: 0, count: 1), .notHeld)))
        #expect(try await fixture.next() == .response(9, .proofUnavailable(block: 1, nonce: [], .notHeld)))
        #expect(try await fixture.next() == .response(9, .listingPart(offset: 0, bytes: [])))
        #expect(try await fixture.pending() == [])
    }

    @Test("opens no more handles than the limit")
    func handleFlood() async throws {
        let fixture = try await HostFixture()
        let hash = ContentHash(digest: .zero)
        var notFound = 0
        var busy = 0
        for start in stride(from: 0, to: TransferLimits.maximumHandleCount + 100, by: 100) {
            let end = min(start + 100, TransferLimits.maximumHandleCount + 100)
            try await fixture.send((start..<end).map { (UInt32($0), .describe(hash, chunkLayer: nil)) })
            for _ in start..<end {
                guard case .response(_, .description(let description)) = try await fixture.next() else { continue }
                if description.content == .notFound { notFound += 1 }
                if description.content == .refused(.busy) { busy += 1 }
            }
        }
        #expect(notFound == TransferLimits.maximumHandleCount)
        #expect(busy == 100)
    }

    @Test("survives random requests, and owes nothing in the end")
    func fuzz() async throws {
        let file = try SharedFile(byteCount: 50 * Self.chunk + 3)
        let fixture = try await HostFixture()
        try fixture.provider.add(file)
        var random = SeededGenerator(seed: 20)
        var open: Set<UInt32> = []
        for _ in 0..<400 {
            let handle = UInt32.random(in: 0..<4, using: &random)
            let range = Self.range(UInt32.random(in: 0..<60, using: &random), UInt32.random(in: 1..<60, using: &random))
            let request: TransferRequest
            switch Int.random(in: 0..<9, using: &random) {
            case 0 where !open.contains(handle):
                request = .describe(file.descriptor.contentHash, chunkLayer: nil)
                open.insert(handle)
            case 1:
                request = .release
                open.remove(handle)
            case 2: request = .cancel(range)
            case 3: request = .subscribe
            case 4: request = .getHashes(HashRequest(layer: 2, index: 0, count: 8, proofLayers: 1))
            case 5: request = .prove(block: Int.random(in: 0..<300, using: &random), nonce: [])
            case 6:
                try await fixture.setWritable(Bool.random(using: &random))
                continue
            default: request = .getChunks(range)
            }
            try await fixture.send(request, handle: handle)
            for case .chunk(_, let index, let bytes) in try await fixture.pending() { #expect(bytes[...] == file.chunk(Int(index))) }
        }
        try await fixture.setWritable(true)
        for handle in open { try await fixture.send(.release, handle: handle) }
        while try await !fixture.isIdle() {
            try await fixture.settle()
            for case .chunk(_, let index, let bytes) in try await fixture.pending() { #expect(bytes[...] == file.chunk(Int(index))) }
        }
        #expect(try await fixture.bufferedByteCount() == 0)
        #expect(try await fixture.outstandingChunkCount() == 0)
        #expect(fixture.channel.isActive)
    }
}
