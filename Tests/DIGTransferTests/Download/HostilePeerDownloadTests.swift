import DIGContent
import Foundation
import NIOCore
import Testing

@testable import DIGTransfer

@Suite("download from hostile peers")
struct HostilePeerDownloadTests {
    /// The hostile peer alone gets nowhere and is named; with an honest peer beside it the file comes whole.
    func expect(_ code: TransferError.Code, _ file: SharedFile, sourceLocation: SourceLocation = #_sourceLocation, _ script: (inout ScriptedHost.Script) -> Void) async throws {
        let directory = try ScratchDirectory()
        let alone = try FileDownload.test(file.descriptor.contentHash, in: directory)
        alone.add(try await ScriptedHost.connection(file, script))
        let error = await alone.failure()
        #expect(error?.code == .noHolders, sourceLocation: sourceLocation)
        #expect(error?.peers.map(\.error.code) == [code], sourceLocation: sourceLocation)

        let both = try FileDownload.test(file.descriptor.contentHash, in: directory) { $0.scheduling.holderTimeout = .seconds(20) }
        let hostile = try await ScriptedHost.connection(file, script)
        both.add(hostile)
        async let running = both.run()
        let provider = TestProvider()
        try provider.add(file)
        both.add(try await LoopbackConnection.toHost(provider))
        _ = try await running
        #expect(directory.bytes("copy") == file.bytes, sourceLocation: sourceLocation)
        #expect(directory.names == ["copy"], sourceLocation: sourceLocation)
    }

    @Test("a bit flip in a chunk, at every position class", arguments: [0, 1, 16_383, 16_384, 40_000, 65_535])
    func bitFlip(position: Int) async throws {
        let file = try SharedFile(byteCount: 1_000_000)
        for chunk in [0, 7, 15] as [UInt32] {
            try await self.expect(.corruptChunk, file) { script in
                script.chunk = { index, bytes in
                    guard index == chunk else { return [(index, bytes)] }
                    var bytes = bytes
                    bytes[min(position, bytes.count - 1)] ^= 0x10
                    return [(index, bytes)]
                }
            }
        }
    }

    @Test("a bit flip in a file of one chunk")
    func bitFlipSmall() async throws {
        let file = try SharedFile(byteCount: 5000)
        try await self.expect(.corruptChunk, file) { $0.chunk = { [($0, [$1[0] ^ 1] + $1.dropFirst())] } }
    }

    @Test("a bit flip in the hashes, and in the uncles")
    func hashes() async throws {
        let file = try SharedFile(byteCount: 1100 * 16_384, chunkLayer: 0)
        try await self.expect(.corruptHashes, file) {
            $0.hashes = { segment in
                var hashes = segment.hashes
                hashes[100] ^= 1
                return HashSegment(layer: segment.layer, index: segment.index, count: segment.count, hashes: hashes, uncles: segment.uncles)
            }
        }
        try await self.expect(.corruptHashes, file) {
            $0.hashes = { HashSegment(layer: $0.layer, index: $0.index, count: $0.count, hashes: $0.hashes, uncles: $0.uncles.map { _ in .zero }) }
        }
        try await self.expect(.protocolViolation, file) {
            $0.hashes = { HashSegment(layer: $0.layer, index: $0.index + 1024, count: $0.count, hashes: $0.hashes, uncles: $0.uncles) }
        }
    }

    @Test("a descriptor that is another content's, or hostile")
    func descriptor() async throws {
        let file = try SharedFile(byteCount: 200_000)
        let root = file.descriptor.root
        for content in [
            ContentDescription.Content.file(size: 200_001, root: root, chunkLayer: 2), .file(size: .max, root: root, chunkLayer: 2),
            .file(size: 200_000, root: .zero, chunkLayer: 2), .file(size: 0, root: .zero, chunkLayer: 2),
        ] {
            try await self.expect(.contentMismatch, file) { $0.describe = { _ in ContentDescription(content) } }
        }
    }

    @Test("more than was asked for: a chunk twice, another chunk, a chunk outside the file")
    func unasked() async throws {
        let file = try SharedFile(byteCount: 1_000_000)
        try await self.expect(.protocolViolation, file) { $0.chunk = { [($0, $1), ($0, $1)] } }
        try await self.expect(.protocolViolation, file) { $0.chunk = { [(1_000_000 + $0, $1)] } }
        try await self.expect(.protocolViolation, file) { $0.chunk = { [(.max, $1), ($0, $1)] } }
    }

    @Test("a chunk that is too long or too short")
    func wrongLength() async throws {
        let file = try SharedFile(byteCount: 1_000_000)
        try await self.expect(.protocolViolation, file) { $0.chunk = { [($0, $1 + [0])] } }
        try await self.expect(.protocolViolation, file) { $0.chunk = { [($0, Array($1.dropLast()))] } }
        try await self.expect(.protocolViolation, file) { $0.chunk = { [($0, $1 + [UInt8](repeating: 0, count: 900_000))] } }
    }

    @Test("bytes that are no frame, and requests on the wrong side")
    func noise() async throws {
        let file = try SharedFile(byteCount: 300_000)
        try await self.expect(.protocolViolation, file) { $0.noise = [UInt8](repeating: 0xff, count: 64) }
    }

    @Test("answers that nobody asked for, and a flood of news")
    func unaskedAnswers() async throws {
        let file = try SharedFile(byteCount: 300_000)
        let segment = try TreeProver(file.layer).segment(layer: 2, index: 0, count: 1)
        for response in [
            TransferResponse.hashes(segment), .hashesUnavailable(HashRequestID(layer: 2, index: 0, count: 1), .notHeld), .listingPart(offset: 0, bytes: [1]),
            .description(ContentDescription(.notFound)), .proof(BlockProof(block: 0, bytes: [1], uncles: []), nonce: []), .resolved(requestID: 1, bindings: []),
        ] {
            var noise = ByteBuffer()
            // Hashes are asked for once: the second answer is one too many.
            for _ in 0..<2 { noise.writeTransferResponse(response, handle: 1) }
            let bytes = Array(noise.readableBytesView)
            try await self.expect(.protocolViolation, file) { $0.noise = bytes }
        }
        // More than the budget earns meanwhile, however slow the machine is.
        var flood = ByteBuffer()
        for _ in 0..<100_000 { flood.writeTransferResponse(.have([ControlCodecTests.range(0, 1)]), handle: 1) }
        let bytes = Array(flood.readableBytesView)
        try await self.expect(.protocolViolation, file) { $0.noise = bytes }
    }

    @Test("a stream that ends in the middle of a chunk: what came whole is kept")
    func truncated() async throws {
        let file = try SharedFile(byteCount: 1_000_000)
        try await self.expect(.disconnected, file) { $0.truncatesAfter = 5 }
        let directory = try ScratchDirectory()
        let store = MemoryTransferStore()
        let cut = try FileDownload.test(file.descriptor.contentHash, in: directory, store: store)
        cut.add(try await ScriptedHost.connection(file) { $0.truncatesAfter = 5 })
        #expect(await cut.failure()?.code == .noHolders)
        let saved = try await store.load(file.descriptor.contentHash, destination: directory.path + "/copy")
        #expect(saved?.verified.setCount == 5)
    }

    @Test("a peer that never answers is left after its time")
    func silent() async throws {
        let file = try SharedFile(byteCount: 300_000)
        let directory = try ScratchDirectory()
        let download = try FileDownload.test(file.descriptor.contentHash, in: directory) {
            $0.scheduling.requestTimeout = .milliseconds(50)
            $0.scheduling.peerTimeout = .milliseconds(150)
            $0.scheduling.holderTimeout = .milliseconds(100)
        }
        download.add(try await ScriptedHost.connection(file) { $0.describe = { _ in nil } })
        let error = await download.failure()
        #expect(error?.code == .noHolders)
        #expect(error?.peers.map(\.error.code) == [.stalled])
    }

    @Test("a peer that stops in the middle loses its chunks to another")
    func stalls() async throws {
        let file = try SharedFile(byteCount: 2_000_000)
        let directory = try ScratchDirectory()
        let download = try FileDownload.test(file.descriptor.contentHash, in: directory) {
            $0.scheduling.requestTimeout = .milliseconds(200)
            $0.scheduling.peerTimeout = .seconds(10)
            $0.scheduling.maximumStallCount = 100
            $0.scheduling.holderTimeout = .seconds(20)
        }
        download.add(try await ScriptedHost.connection(file) { $0.chunk = { $0 < 3 ? [($0, $1)] : [] } })
        let provider = TestProvider()
        try provider.add(file)
        async let running = download.run()
        for await progress in download.progress where progress.verifiedByteCount > 0 { break }
        download.add(try await LoopbackConnection.toHost(provider))
        _ = try await running
        #expect(directory.bytes("copy") == file.bytes)
    }
}
