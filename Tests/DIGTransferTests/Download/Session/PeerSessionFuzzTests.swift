import DIGContent
import DIGIdentity
import DIGTestSupport
import Logging
import NIOCore
import NIOEmbedded
import NIOPosix
import Synchronization
import Testing

@testable import DIGTransfer

/// Damaged streams of a host, up to the buffers and the file.
@Suite("transfer client session under damaged streams", .timeLimit(.minutes(5)))
struct PeerSessionFuzzTests {
    private final class Observer: SessionObserver {
        struct State {
            var corrupt = 0
            var endCount = 0
            var verified: Set<Int> = []
        }
        let state = Mutex(State())

        func received(_ event: SessionEvent) {
            self.state.withLock { state in
                switch event {
                case .checked(let chunks, let corrupt):
                    state.corrupt += corrupt.count
                    state.verified.formUnion(chunks.filter { !corrupt.contains($0) })
                case .violated, .ended: state.endCount += 1
                default: break
                }
            }
        }
    }

    @Test("never traps, keeps to its buffers, and writes nothing that is not the file", arguments: 0..<12 as Range<UInt64>)
    func random(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let file = try SharedFile(byteCount: 12 * 16_384 - 100, chunkLayer: 0)
        let layout = try ChunkLayout(fileSize: file.descriptor.size, layer: 0)
        let hashes = (0..<layout.chunkCount).compactMap { file.layer.node(at: $0) }
        for round in 0..<6 {
            let scratch = try ScratchDirectory()
            let directory = try DownloadDirectory(DownloadDestination(directory: scratch.path, name: "copy"))
            let part = try PartFile(in: directory, name: "copy", contentHash: file.descriptor.contentHash, size: file.descriptor.size)
            let pool = ChunkSlabPool(byteCount: 0)
            let observer = Observer()
            let channel = NIOAsyncTestingChannel()
            let peer = VirtualSwarm.peerID()
            let handle = try await channel.testingEventLoop.executeInContext {
                let handler = PeerSessionHandler(peer: peer, pool: pool, limiter: nil, threadPool: .singleton, logger: Logger(label: "test"))
                try channel.pipeline.syncOperations.addHandler(handler)
                let handle = handler.attach(observer, contentHash: file.descriptor.contentHash, chunkLayer: nil, subscribes: true) ?? 0
                handler.prepare(handle, file: part, layout: layout)
                handler.perform([.getHashes(HashRequest(layer: 0, index: 0, count: 16, proofLayers: 0))], handle: handle)
                return handle
            }
            try await channel.connect(to: SocketAddress(unixDomainSocketPath: "/test"))

            var stream = ByteBuffer()
            let content = ContentDescription.Content.file(size: file.descriptor.size, root: file.descriptor.root, chunkLayer: 0)
            stream.writeTransferResponse(.description(ContentDescription(content)), handle: handle)
            stream.writeTransferResponse(.bitfield(.complete), handle: handle)
            stream.writeTransferResponse(.hashes(try TreeProver(file.layer).segment(layer: 0, index: 0, count: 16)), handle: handle)
            for chunk in 0..<12 {
                let bytes = file.chunk(chunk)
                stream.writeTransferFrameHeader(.chunk(handle: handle, index: UInt32(chunk), byteCount: bytes.count))
                stream.writeBytes(bytes)
                if chunk == 6 { stream.writeTransferResponse(.have([ControlCodecTests.range(3, 4)]), handle: handle) }
            }
            let damaged = round == 0 ? Array(stream.readableBytesView) : random.mutated(Array(stream.readableBytesView))
            try await channel.testingEventLoop.executeInContext {
                let handler = try channel.pipeline.syncOperations.handler(type: PeerSessionHandler.self)
                handler.perform([.getChunks(0..<5, hashes: hashes[0..<5]), .getChunks(5..<12, hashes: hashes[5..<12])], handle: handle)
            }
            var position = 0
            while position < damaged.count {
                let end = min(damaged.count, position + Int.random(in: 1...60_000, using: &random))
                // The channel is closed once the peer has broken the protocol.
                _ = try? await channel.writeInbound(ByteBuffer(bytes: damaged[position..<end]))
                position = end
                if round > 2, Int.random(in: 0..<6, using: &random) == 0 {
                    let range = Int.random(in: 0..<6, using: &random)..<Int.random(in: 6...12, using: &random)
                    try await channel.testingEventLoop.executeInContext {
                        guard let handler = try? channel.pipeline.syncOperations.handler(type: PeerSessionHandler.self) else { return }
                        handler.perform(range.lowerBound == 0 ? [.release] : [.cancel(range)], handle: handle)
                    }
                }
            }
            if round == 0 {
                // Chunks wait for a free slab: closing before they are done would drop them.
                for _ in 0..<100_000 where observer.state.withLock({ $0.verified.count }) < 12 {
                    try await NIOThreadPool.singleton.runIfActive {}
                    try await channel.testingEventLoop.executeInContext {}
                }
            }
            try? await channel.close()
            // Jobs that are under way come back.
            for _ in 0..<4 {
                try await NIOThreadPool.singleton.runIfActive {}
                try await channel.testingEventLoop.executeInContext {}
            }
            #expect(pool.allocatedCount <= 3)
            let state = observer.state.withLock { $0 }
            if round == 0 { #expect(state.verified == Set(0..<12)) }
            #expect(state.endCount <= 2)
            for chunk in state.verified {
                let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: file.chunk(chunk).count, alignment: 16)
                defer { buffer.deallocate() }
                let count = try part.read(into: buffer, at: UInt64(chunk) * 16_384)
                #expect(count == buffer.count)
                #expect(buffer.elementsEqual(file.chunk(chunk)))
            }
            part.close(promise: nil)
        }
    }
}
