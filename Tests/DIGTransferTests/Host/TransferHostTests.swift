import DIGContent
import DIGIdentity
import Foundation
import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import DIGTransfer

@Suite("transfer host", .timeLimit(.minutes(5)))
struct TransferHostTests {
    static let chunk = 65_536

    static func range(_ first: UInt32, _ count: UInt32) -> ChunkRange { ControlCodecTests.range(first, count) }

    @Test("describes a file and serves every byte of it", arguments: [1, 16_384, 16_385, 65_535, 65_536, 65_537, 131_072, 5_000_000])
    func wholeFile(_ byteCount: Int) async throws {
        let file = try SharedFile(byteCount: byteCount)
        let fixture = try await HostFixture()
        try fixture.provider.add(file)
        let description = try await fixture.describe(file.descriptor.contentHash)
        #expect(description?.content == .file(size: UInt64(byteCount), root: file.descriptor.root, chunkLayer: 2))
        #expect(description?.name == "file")

        let count = (byteCount + Self.chunk - 1) / Self.chunk
        try await fixture.send(.getChunks(Self.range(0, UInt32(count))))
        let chunks = try await fixture.chunks(count)
        #expect(chunks.map(\.index) == (0..<UInt32(count)).map { $0 })
        #expect(chunks.flatMap(\.bytes) == file.bytes)
    }

    @Test("serves any range, in order, and says what lies beyond the end")
    func ranges() async throws {
        let file = try SharedFile(byteCount: 10 * Self.chunk + 77)
        let fixture = try await HostFixture()
        try fixture.provider.add(file)
        _ = try await fixture.describe(file.descriptor.contentHash)
        for (first, count) in [(0, 1), (10, 1), (3, 4), (0, 11), (9, 2), (5, 3)] as [(UInt32, UInt32)] {
            try await fixture.send(.getChunks(Self.range(first, count)))
            for (offset, chunk) in try await fixture.chunks(Int(count)).enumerated() {
                #expect(chunk.index == first + UInt32(offset))
                #expect(chunk.bytes[...] == file.chunk(Int(chunk.index)))
            }
        }
        try await fixture.send(.getChunks(Self.range(10, 5)))
        #expect(try await fixture.next() == .response(1, .chunksUnavailable(Self.range(11, 4), .outOfRange)))
        #expect(try await fixture.next() == .chunk(1, 10, Array(file.chunk(10))))
        try await fixture.send(.getChunks(Self.range(.max, 1)))
        #expect(try await fixture.next() == .response(1, .chunksUnavailable(Self.range(.max, 1), .outOfRange)))
    }

    @Test("serves an empty file: no chunks")
    func emptyFile() async throws {
        let file = try SharedFile(byteCount: 0)
        let fixture = try await HostFixture()
        try fixture.provider.add(file)
        let description = try await fixture.describe(file.descriptor.contentHash)
        #expect(description?.content == .file(size: 0, root: .zero, chunkLayer: 2))
        try await fixture.send(.getChunks(Self.range(0, 1)))
        #expect(try await fixture.next() == .response(1, .chunksUnavailable(Self.range(0, 1), .outOfRange)))
    }

    @Test("serves chunks of any layer, whichever it stores", arguments: 0...6, [0, 2, 6])
    func layers(_ layer: Int, stored: Int) async throws {
        let file = try SharedFile(byteCount: 3_000_000, chunkLayer: stored)
        let fixture = try await HostFixture()
        try fixture.provider.add(file)
        let description = try await fixture.describe(file.descriptor.contentHash, chunkLayer: layer)
        #expect(description?.content == .file(size: 3_000_000, root: file.descriptor.root, chunkLayer: layer))
        let count = (3_000_000 + (16_384 << layer) - 1) / (16_384 << layer)
        try await fixture.send(.getChunks(Self.range(0, UInt32(count))))
        let isSame = try await fixture.chunks(count).flatMap(\.bytes) == file.bytes
        #expect(isSame)
    }

    @Test("refuses layers below the stored one where that is switched off, and of a file it does not have whole")
    func lowerLayersRefused() async throws {
        let file = try SharedFile(byteCount: 3_000_000)
        var configuration = TransferHostConfiguration()
        configuration.lowerLayerByteCount = 0
        let strict = try await HostFixture(configuration: configuration)
        try strict.provider.add(file)
        let partial = try await HostFixture()
        try partial.provider.add(file, availability: PartialAvailability(ChunkBitmap(count: 46, isComplete: true)))
        for fixture in [strict, partial] {
            #expect(try await fixture.describe(file.descriptor.contentHash, chunkLayer: 1)?.content == .refused(.layerUnsupported))
            try await fixture.send(.getChunks(Self.range(0, 1)))
            #expect(try await fixture.next() == .response(1, .chunksUnavailable(Self.range(0, 1), .layerUnsupported)))
        }
        #expect(try await strict.describe(file.descriptor.contentHash, handle: 2, chunkLayer: 3)?.content != .refused(.layerUnsupported))
    }

    @Test(
        "makes hashes below the stored layer from the file, and they prove themselves",
        arguments: [1, 16_384, 16_385, 65_536, 65_537, 1_000_000, 3_000_001], [(0, 2), (1, 2), (0, 6), (3, 6)])
    func lowerHashes(byteCount: Int, layers: (asked: Int, stored: Int)) async throws {
        let file = try SharedFile(byteCount: byteCount, chunkLayer: layers.stored)
        let fixture = try await HostFixture()
        try fixture.provider.add(file)
        _ = try await fixture.describe(file.descriptor.contentHash, chunkLayer: layers.asked)
        let geometry = file.layer.geometry
        let layer = min(layers.asked, geometry.height)
        let padded = geometry.paddedNodeCount(atLayer: layer)
        for count in [1, 2, 8, padded] where count <= padded {
            for index in Set([0, padded / count / 2 * count, padded - count]) {
                try await fixture.send(.getHashes(HashRequest(layer: layer, index: index, count: count, proofLayers: geometry.height - layer)))
                guard case .response(1, .hashes(let segment)) = try await fixture.next() else {
                    Issue.record("no \(count) hashes from \(index)")
                    continue
                }
                #expect(segment.index == index && segment.count == count)
                #expect(throws: Never.self) { try segment.verify(against: file.descriptor) }
            }
        }
    }

    @Test("never makes hashes of a file that changed")
    func lowerHashesOfChangedFile() async throws {
        let file = try SharedFile(byteCount: 1_000_000)
        let fixture = try await HostFixture()
        var hosted = try file.hosted()
        var bytes = file.bytes
        bytes[500_000] ^= 1
        try Data(bytes).write(to: URL(fileURLWithPath: file.path))
        // As if the change left no trace but the bytes.
        hosted.stamp = try FileStamp(ofFileAt: file.path)
        let content = HostedContent.file(hosted)
        fixture.provider.state.withLock { $0.contents[file.descriptor.contentHash] = content }
        _ = try await fixture.describe(file.descriptor.contentHash, chunkLayer: 0)
        try await fixture.send(.getHashes(HashRequest(layer: 0, index: 0, count: 64, proofLayers: 6)))
        #expect(try await fixture.next() == .response(1, .hashesUnavailable(HashRequestID(layer: 0, index: 0, count: 64), .changed)))
        try await fixture.send(.getChunks(Self.range(0, 1)))
        #expect(try await fixture.next() == .response(1, .chunksUnavailable(Self.range(0, 1), .changed)))
    }

    @Test("says not found, and refuses what the provider cannot load")
    func notFound() async throws {
        let fixture = try await HostFixture()
        let hash = ContentHash(digest: SHA256Digest(hashing: [9]))
        #expect(try await fixture.describe(hash)?.content == .notFound)
        try await fixture.send(.getChunks(Self.range(0, 1)))
        #expect(try await fixture.next() == .response(1, .chunksUnavailable(Self.range(0, 1), .notHeld)))
        fixture.provider.state.withLock { _ = $0.failing.insert(hash) }
        #expect(try await fixture.describe(hash, handle: 2)?.content == .refused(.unreadable))
    }

    @Test("answers requests that were sent before the description came")
    func pipelined() async throws {
        let file = try SharedFile(byteCount: 3 * Self.chunk)
        let fixture = try await HostFixture()
        try fixture.provider.add(file)
        try await fixture.send([
            (5, .describe(file.descriptor.contentHash, chunkLayer: nil)), (5, .getChunks(Self.range(0, 2))), (5, .getChunks(Self.range(2, 1))),
        ])
        guard case .response(5, .description) = try await fixture.next() else {
            Issue.record("no description")
            return
        }
        #expect(try await fixture.chunks(3).flatMap(\.bytes) == file.bytes)
    }

    @Test("gives hashes that prove themselves, with uncles", arguments: [(0, 4), (8, 8), (20, 1), (64, 16)])
    func hashes(_ index: Int, _ count: Int) async throws {
        let file = try SharedFile(byteCount: 77 * Self.chunk + 5)
        let fixture = try await HostFixture()
        try fixture.provider.add(file)
        _ = try await fixture.describe(file.descriptor.contentHash)
        let height = file.layer.geometry.height
        try await fixture.send(.getHashes(HashRequest(layer: 2, index: index, count: count, proofLayers: height - 2)))
        guard case .response(1, .hashes(let segment)) = try await fixture.next() else {
            Issue.record("no hashes")
            return
        }
        #expect(segment.index == index)
        #expect(segment.count == count)
        #expect(throws: Never.self) { try segment.verify(against: file.descriptor) }
    }

    @Test("refuses hashes that are not in the tree")
    func hashesOutOfRange() async throws {
        let file = try SharedFile(byteCount: 10 * Self.chunk)
        let fixture = try await HostFixture()
        try fixture.provider.add(file)
        _ = try await fixture.describe(file.descriptor.contentHash)
        for request in [
            HashRequest(layer: 1, index: 0, count: 1, proofLayers: 0), HashRequest(layer: 2, index: 1, count: 4, proofLayers: 0),
            HashRequest(layer: 2, index: 0, count: 4096, proofLayers: 0), HashRequest(layer: 2, index: .max, count: 1, proofLayers: 0),
            HashRequest(layer: 26, index: 0, count: 1, proofLayers: 0), HashRequest(layer: 2, index: 0, count: 1, proofLayers: 26),
        ] {
            try await fixture.send(.getHashes(request))
            let id = HashRequestID(layer: request.layer, index: request.index, count: request.count)
            #expect(try await fixture.next() == .response(1, .hashesUnavailable(id, .outOfRange)))
        }
    }

    @Test("proves that it holds a block", arguments: [0, 1, 7, 40])
    func prove(_ block: Int) async throws {
        let file = try SharedFile(byteCount: 40 * 16_384 + 11)
        let fixture = try await HostFixture()
        try fixture.provider.add(file)
        _ = try await fixture.describe(file.descriptor.contentHash)
        try await fixture.send(.prove(block: block, nonce: [1, 2]))
        guard case .response(1, .proof(let proof, nonce: [1, 2])) = try await fixture.next() else {
            Issue.record("no proof")
            return
        }
        #expect(proof.block == block)
        #expect(throws: Never.self) { try proof.verify(against: file.descriptor) }
        try await fixture.send(.prove(block: 41, nonce: []))
        #expect(try await fixture.next() == .response(1, .proofUnavailable(block: 41, nonce: [], .outOfRange)))
    }

    @Test("gives a folder's listing in parts")
    func folder() async throws {
        let fixture = try await HostFixture()
        let listing = (0..<1000).map { UInt8(truncatingIfNeeded: $0) }
        let hash = ContentHash(digest: SHA256Digest(hashing: listing))
        fixture.provider.state.withLock { $0.contents[hash] = .folder(HostedFolder(contentHash: hash, listing: listing, name: "photos")) }
        let description = try await fixture.describe(hash)
        #expect(description?.content == .folder(byteCount: 1000))
        #expect(description?.name == "photos")
        for (offset, byteCount) in [(0, 400), (400, 400), (800, 400), (1000, 1), (.max, 400)] as [(UInt64, Int)] {
            try await fixture.send(.getListing(offset: offset, byteCount: byteCount))
            let start = min(Int(clamping: offset), 1000)
            let expected = Array(listing[start..<min(1000, start + byteCount)])
            #expect(try await fixture.next() == .response(1, .listingPart(offset: offset, bytes: expected)))
        }
        try await fixture.send(.getChunks(Self.range(0, 1)))
        #expect(try await fixture.next() == .response(1, .chunksUnavailable(Self.range(0, 1), .outOfRange)))
    }

    @Test("resolves names to signed bindings")
    func resolve() async throws {
        let fixture = try await HostFixture()
        let hash = ContentHash(digest: SHA256Digest(hashing: [1]))
        let envelope = try NameBinding.sign(.name("report"), as: hash, timestampMilliseconds: 1, with: try KeyPair.generate(.ed25519))
        fixture.provider.state.withLock { $0.bindings[.name("report")] = [envelope] }
        try await fixture.send(.resolve(requestID: 7, .name("report")), handle: 0)
        #expect(try await fixture.next() == .response(0, .resolved(requestID: 7, bindings: [envelope.encoded])))
        try await fixture.send(.resolve(requestID: 8, .name("other")), handle: 0)
        #expect(try await fixture.next() == .response(0, .resolved(requestID: 8, bindings: [])))
    }

    // MARK: - partial files

    @Test("serves what a download in progress has, and tells what it gains")
    func partial() async throws {
        let file = try SharedFile(byteCount: 20 * Self.chunk)
        var bitmap = ChunkBitmap(count: 20)
        bitmap.insert(2..<5)
        let availability = PartialAvailability(bitmap)
        let fixture = try await HostFixture()
        try fixture.provider.add(file, availability: availability)
        _ = try await fixture.describe(file.descriptor.contentHash)
        try await fixture.send(.subscribe)
        #expect(try await fixture.next() == .response(1, .bitfield(.part(first: 0, bits: [0b0001_1100, 0, 0]))))

        try await fixture.send(.getChunks(Self.range(0, 6)))
        #expect(try await fixture.next() == .response(1, .chunksUnavailable(Self.range(0, 2), .notHeld)))
        #expect(try await fixture.next() == .response(1, .chunksUnavailable(Self.range(5, 1), .notHeld)))
        #expect(try await fixture.chunks(3).map(\.index) == [2, 3, 4])
        try await fixture.send(.prove(block: 0, nonce: []))
        #expect(try await fixture.next() == .response(1, .proofUnavailable(block: 0, nonce: [], .notHeld)))

        availability.insert(7..<9)
        availability.insert(12..<13)
        try await fixture.channel.testingEventLoop.executeInContext {}
        await fixture.channel.testingEventLoop.advanceTime(by: .milliseconds(100))
        #expect(try await fixture.next() == .response(1, .have([Self.range(7, 2), Self.range(12, 1)])))

        // Nothing is told after the handle is closed.
        try await fixture.send(.release)
        availability.insert(0..<20)
        await fixture.channel.testingEventLoop.advanceTime(by: .milliseconds(200))
        #expect(try await fixture.pending() == [])
    }

    @Test("tells a complete file in one word")
    func completeBitfield() async throws {
        let file = try SharedFile(byteCount: Self.chunk)
        let fixture = try await HostFixture()
        try fixture.provider.add(file)
        _ = try await fixture.describe(file.descriptor.contentHash)
        try await fixture.send(.subscribe)
        #expect(try await fixture.next() == .response(1, .bitfield(.complete)))
    }

    // MARK: - files that change

    enum Change: CaseIterable {
        case appended, truncated, modified, replaced, removed, folder
    }

    @Test("never serves a file that changed under the old hash (HST-22)", arguments: Change.allCases)
    func changed(_ change: Change) async throws {
        let file = try SharedFile(byteCount: 40 * Self.chunk)
        let fixture = try await HostFixture()
        try fixture.provider.add(file)
        let hash = file.descriptor.contentHash
        _ = try await fixture.describe(hash)
        try await fixture.send(.getChunks(Self.range(0, 1)))
        #expect(try await fixture.chunks(1).first?.bytes[...] == file.chunk(0))

        let manager = FileManager.default
        switch change {
        case .appended, .truncated, .modified:
            let handle = try #require(FileHandle(forUpdatingAtPath: file.path))
            switch change {
            case .appended:
                try handle.seekToEnd()
                try handle.write(contentsOf: [1])
            case .truncated:
                try handle.truncate(atOffset: 39 * UInt64(Self.chunk))
            default:
                try handle.seek(toOffset: 5)
                try handle.write(contentsOf: [file.bytes[5] ^ 1])
                try handle.synchronize()
                // The clock of a file system may be coarse: make the new time stamp certain.
                try manager.setAttributes([.modificationDate: Date(timeIntervalSince1970: 1)], ofItemAtPath: file.path)
            }
            try handle.close()
        case .replaced:
            // The same bytes and time, another file.
            let attributes = try manager.attributesOfItem(atPath: file.path)
            try Data(file.bytes).write(to: URL(fileURLWithPath: file.path + "2"))
            try manager.setAttributes([.modificationDate: attributes[.modificationDate] as Any], ofItemAtPath: file.path + "2")
            #expect(rename(file.path + "2", file.path) == 0)
        case .removed:
            try manager.removeItem(atPath: file.path)
        case .folder:
            try manager.removeItem(atPath: file.path)
            try manager.createDirectory(atPath: file.path, withIntermediateDirectories: false)
        }

        try await fixture.send(.getChunks(Self.range(0, 40)))
        var refused = 0
        while refused < 40 {
            guard case .response(1, .chunksUnavailable(let range, let reason)) = try await fixture.next() else {
                Issue.record("served after the change")
                return
            }
            #expect(reason == .changed)
            refused += Int(range.count)
        }
        var changes = fixture.provider.changes.makeAsyncIterator()
        #expect(await changes.next() == hash)
        // And it stays so for this session.
        try await fixture.send(.getChunks(Self.range(3, 2)))
        #expect(try await fixture.next() == .response(1, .chunksUnavailable(Self.range(3, 2), .changed)))
        #expect(fixture.host.openFileCount == 0)
    }

    @Test("does not prove with a file that changed")
    func changedProof() async throws {
        let file = try SharedFile(byteCount: 4 * Self.chunk)
        let fixture = try await HostFixture()
        // Without a stamp only the hash can tell.
        var hosted = try file.hosted()
        hosted.stamp = nil
        let content = HostedContent.file(hosted)
        fixture.provider.state.withLock { $0.contents[file.descriptor.contentHash] = content }
        _ = try await fixture.describe(file.descriptor.contentHash)
        try Data(repeating: 0, count: 4 * Self.chunk).write(to: URL(fileURLWithPath: file.path))
        try await fixture.send(.prove(block: 3, nonce: [4]))
        #expect(try await fixture.next() == .response(1, .proofUnavailable(block: 3, nonce: [4], .changed)))
    }

    @Test("says not held, and calls nothing changed, when a download in progress was renamed")
    func renamedPart() async throws {
        let file = try SharedFile(byteCount: 2 * Self.chunk)
        let fixture = try await HostFixture()
        var hosted = try file.hosted()
        hosted.stamp = nil
        let content = HostedContent.file(hosted)
        fixture.provider.state.withLock { $0.contents[file.descriptor.contentHash] = content }
        _ = try await fixture.describe(file.descriptor.contentHash)
        try FileManager.default.moveItem(atPath: file.path, toPath: file.path + ".done")
        try await fixture.send(.getChunks(Self.range(0, 2)))
        #expect(try await fixture.next() == .response(1, .chunksUnavailable(Self.range(0, 2), .notHeld)))
        try await fixture.settle()
        #expect(fixture.provider.state.withLock { $0.changed } == [])
    }

    @Test("answers what was asked before the client closed its half, then closes its own")
    func halfClosed() async throws {
        let file = try SharedFile(byteCount: 2 * Self.chunk)
        let fixture = try await HostFixture()
        try fixture.provider.add(file)
        let channel = fixture.channel
        try await fixture.send([(1, .describe(file.descriptor.contentHash, chunkLayer: nil)), (1, .getChunks(Self.range(0, 2)))])
        try await channel.testingEventLoop.executeInContext { channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed) }
        #expect(try await fixture.chunks(2).flatMap(\.bytes) == file.bytes)
    }

    @Test("stops serving what is withdrawn, in open sessions too (HST-20)")
    func withdrawn() async throws {
        let file = try SharedFile(byteCount: 4 * Self.chunk)
        let fixture = try await HostFixture()
        try fixture.provider.add(file)
        _ = try await fixture.describe(file.descriptor.contentHash)
        fixture.host.withdraw(file.descriptor.contentHash)
        try await fixture.send(.getChunks(Self.range(0, 4)))
        #expect(try await fixture.next() == .response(1, .chunksUnavailable(Self.range(0, 4), .notHeld)))
    }

    // MARK: - statistics and limits

    @Test("counts what it sends to whom (HST-16)")
    func statistics() async throws {
        let file = try SharedFile(byteCount: 10 * Self.chunk + 1)
        let fixture = try await HostFixture()
        try fixture.provider.add(file)
        _ = try await fixture.describe(file.descriptor.contentHash)
        try await fixture.send(.getChunks(Self.range(0, 11)))
        _ = try await fixture.chunks(11)
        try await fixture.channel.testingEventLoop.executeInContext {}
        let eventLoop = fixture.channel.testingEventLoop
        let statistics = fixture.host.statistics(now: try await eventLoop.executeInContext { eventLoop.now })
        #expect(statistics.sessionCount == 1)
        #expect(statistics.uploads.map(\.peer) == [fixture.peer])
        #expect(statistics.uploads.map(\.contentHash) == [file.descriptor.contentHash])
        #expect(statistics.uploads.map(\.byteCount) == [UInt64(file.bytes.count)])
        #expect(statistics.uploads.map(\.chunkCount) == [11])
        #expect(statistics.bytesPerSecond > 0)

        try await fixture.channel.close()
        let after = fixture.host.statistics()
        #expect(after.sessionCount == 0)
        #expect(after.uploads == [])
        #expect(after.byteCount == UInt64(file.bytes.count))
        #expect(after.chunkCount == 11)
    }

    @Test("turns away sessions above the limits")
    func sessionLimits() async throws {
        var configuration = TransferHostConfiguration()
        configuration.maximumSessionsPerPeer = 2
        configuration.maximumSessionCount = 3
        let first = try await HostFixture(configuration: configuration)
        let second = try await HostFixture(host: first.host, peer: first.peer)
        await #expect(throws: (any Error).self) { try await HostFixture(host: first.host, peer: first.peer) }
        let third = try await HostFixture(host: first.host)
        await #expect(throws: (any Error).self) { try await HostFixture(host: first.host) }
        #expect(first.host.statistics().refusedSessionCount == 2)
        try await second.channel.close()
        let fourth = try await HostFixture(host: first.host, peer: first.peer)
        first.host.closeSessions()
        for fixture in [first, third, fourth] { try await fixture.channel.closeFuture.get() }
        #expect(first.host.statistics().sessionCount == 0)
    }

    @Test("keeps no more files open than configured")
    func openFiles() async throws {
        var configuration = TransferHostConfiguration()
        configuration.openFileCount = 3
        let fixture = try await HostFixture(configuration: configuration)
        var files: [SharedFile] = []
        for index in 0..<12 {
            let file = try SharedFile(byteCount: 1000 + index, seed: UInt64(index))
            try fixture.provider.add(file)
            _ = try await fixture.describe(file.descriptor.contentHash, handle: UInt32(index))
            files.append(file)
        }
        for _ in 0..<2 {
            for (index, file) in files.enumerated() {
                try await fixture.send(.getChunks(Self.range(0, 1)), handle: UInt32(index))
                #expect(try await fixture.next() == .chunk(UInt32(index), 0, file.bytes))
                #expect(fixture.host.openFileCount <= 3)
            }
        }
    }

    @Test("opens a hot file once, however many ask for it: its bytes then come from the system's cache (PRF-10)")
    func hotFile() async throws {
        let file = try SharedFile(byteCount: 20 * Self.chunk)
        let first = try await HostFixture()
        try first.provider.add(file)
        var fixtures = [first]
        for _ in 0..<4 { fixtures.append(try await HostFixture(provider: first.provider, host: first.host)) }
        // One after another: two who find it closed at the same moment may open it twice.
        for fixture in fixtures {
            _ = try await fixture.describe(file.descriptor.contentHash)
            for _ in 0..<3 {
                try await fixture.send(.getChunks(Self.range(0, 20)))
                #expect(try await fixture.chunks(20).count == 20)
            }
        }
        #expect(first.host.openedFileCount == 1)
    }

    @Test("keeps to its rate, in virtual time, and does not call the wait idleness")
    func rateLimit() async throws {
        var configuration = TransferHostConfiguration()
        configuration.idleTimeout = .seconds(5)
        let file = try SharedFile(byteCount: 40 * Self.chunk)
        let fixture = try await HostFixture(configuration: configuration)
        // One chunk in ten seconds, and one at once.
        fixture.host.uploadLimiter.setRate(bytesPerSecond: Self.chunk / 10, burstByteCount: Self.chunk, now: .uptimeNanoseconds(0))
        try fixture.provider.add(file)
        _ = try await fixture.describe(file.descriptor.contentHash)
        try await fixture.send(.getChunks(Self.range(0, 40)))
        var sent = try await fixture.chunks(1).count
        for step in 1...20 {
            await fixture.channel.testingEventLoop.advanceTime(by: .seconds(10))
            try await fixture.settle()
            sent += try await fixture.pending().count
            #expect(sent <= 1 + step)
            #expect(sent >= step)
        }
        #expect(fixture.channel.isActive)
    }

    @Test("resets a session in which nothing moves")
    func idle() async throws {
        let fixture = try await HostFixture()
        await fixture.channel.testingEventLoop.advanceTime(by: .seconds(119))
        #expect(fixture.channel.isActive)
        await fixture.channel.testingEventLoop.advanceTime(by: .seconds(1))
        try await fixture.channel.closeFuture.get()
        #expect(fixture.host.statistics().sessionCount == 0)
    }
}
