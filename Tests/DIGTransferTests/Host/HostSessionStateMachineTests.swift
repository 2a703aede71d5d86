import DIGContent
import DIGTestSupport
import NIOCore
import Testing

@testable import DIGTransfer

@Suite("host session")
struct HostSessionStateMachineTests {
    static func range(_ first: UInt32, _ count: UInt32) -> ChunkRange { ControlCodecTests.range(first, count) }

    /// A machine with files open under the handles 0…; the files need not exist, the test plays the disk.
    static func machine(files: [SharedFile], limits: HostSessionLimits = HostSessionLimits()) throws -> HostSessionStateMachine {
        var machine = HostSessionStateMachine(limits: limits)
        for (handle, file) in files.enumerated() {
            try machine.received(.describe(file.descriptor.contentHash, chunkLayer: nil), handle: UInt32(handle))
            let job = try Self.require(machine.pollJob())
            machine.lookedUp(.success(.file(try file.hosted())), id: job.id)
            _ = machine.pollResponse()
        }
        return machine
    }

    /// `#require` cannot take a mutating call.
    static func require<Value>(_ value: Value?) throws -> Value { try #require(value) }

    static func frames(_ read: HostRead) -> ByteBuffer {
        var buffer = ByteBuffer()
        for chunk in read.chunks {
            buffer.writeTransferFrameHeader(.chunk(handle: read.handle, index: UInt32(chunk), byteCount: 2))
            buffer.writeInteger(UInt16(chunk))
        }
        return buffer
    }

    @Test("serves handles in turn, a piece each")
    func roundRobin() throws {
        let files = try (0..<3).map { try SharedFile(byteCount: 64 * 65_536, seed: UInt64($0)) }
        var limits = HostSessionLimits()
        limits.runningReadCount = 100
        limits.readAheadByteCount = .max
        var machine = try Self.machine(files: files, limits: limits)
        for handle in 0..<3 as Range<UInt32> { try machine.received(.getChunks(Self.range(0, 24)), handle: handle) }
        var order: [UInt32] = []
        while let read = machine.pollRead(readAheadByteCount: .max) {
            #expect(read.chunks.count == 8)
            order.append(read.handle)
        }
        #expect(order == [0, 1, 2, 0, 1, 2, 0, 1, 2])
        #expect(machine.outstandingChunkCount == 72)
    }

    @Test("writes pieces in the order they were asked for, whichever is read first")
    func order() throws {
        let file = try SharedFile(byteCount: 16 * 65_536)
        var machine = try Self.machine(files: [file])
        try machine.received(.getChunks(Self.range(0, 16)), handle: 0)
        let first = try Self.require(machine.pollRead(readAheadByteCount: .max))
        let second = try Self.require(machine.pollRead(readAheadByteCount: .max))
        let third = machine.pollRead(readAheadByteCount: .max)
        #expect(third?.id == nil)
        machine.framesRead(.success(Self.frames(second)), id: second.id)
        #expect(machine.nextFrameByteCount == nil)
        machine.framesRead(.success(Self.frames(first)), id: first.id)
        var indices: [UInt32?] = []
        while let (frame, _) = machine.takeFrame() { indices.append(frame.getInteger(at: frame.readerIndex + 8)) }
        #expect(indices == (0..<16).map { $0 })
        #expect(machine.isIdle)
        #expect(machine.outstandingChunkCount == 0)
        #expect(machine.bufferedByteCount == 0)
    }

    @Test("does not send what is cancelled: not yet read, being read, or read")
    func cancel() throws {
        let file = try SharedFile(byteCount: 32 * 65_536)
        var machine = try Self.machine(files: [file])
        try machine.received(.getChunks(Self.range(0, 32)), handle: 0)
        let first = try Self.require(machine.pollRead(readAheadByteCount: .max))
        let second = try Self.require(machine.pollRead(readAheadByteCount: .max))
        machine.framesRead(.success(Self.frames(first)), id: first.id)
        for range in [Self.range(0, 2), Self.range(6, 4), Self.range(15, 3), Self.range(30, 100)] {
            try machine.received(.cancel(range), handle: 0)
            try machine.received(.cancel(range), handle: 0)
        }
        machine.framesRead(.success(Self.frames(second)), id: second.id)
        var indices: [UInt32?] = []
        repeat {
            while let (frame, _) = machine.takeFrame() { indices.append(frame.getInteger(at: frame.readerIndex + 8)) }
            guard let read = machine.pollRead(readAheadByteCount: .max) else { break }
            machine.framesRead(.success(Self.frames(read)), id: read.id)
        } while true
        #expect(indices == ([2, 3, 4, 5, 10, 11, 12, 13, 14] + Array(18...29)).map { $0 })
        #expect(machine.outstandingChunkCount == 0)
        #expect(machine.isIdle)
    }

    @Test("reads one piece ahead even if its share is nothing")
    func share() throws {
        let file = try SharedFile(byteCount: 32 * 65_536)
        var machine = try Self.machine(files: [file])
        try machine.received(.getChunks(Self.range(0, 32)), handle: 0)
        let first = machine.pollRead(readAheadByteCount: 0)
        let second = machine.pollRead(readAheadByteCount: 0)
        #expect(first?.id != nil)
        #expect(second?.id == nil)
    }

    @Test("says once for a run of chunks that they cannot be read, and goes on with the rest")
    func unreadable() throws {
        let file = try SharedFile(byteCount: 16 * 65_536)
        var machine = try Self.machine(files: [file])
        try machine.received(.getChunks(Self.range(0, 16)), handle: 0)
        let first = try Self.require(machine.pollRead(readAheadByteCount: .max))
        try machine.received(.cancel(Self.range(3, 1)), handle: 0)
        machine.framesRead(.failure(.failed(errno: 5)), id: first.id)
        var responses: [TransferResponse] = []
        while let (_, response) = machine.pollResponse() { responses.append(response) }
        #expect(responses == [.chunksUnavailable(Self.range(0, 3), .unreadable), .chunksUnavailable(Self.range(4, 4), .unreadable)])
        #expect(machine.outstandingChunkCount == 8)
        let next = machine.pollRead(readAheadByteCount: .max)
        #expect(next?.chunks == 8..<16)
    }

    @Test("wants no requests while too many wait, and wants them again")
    func saturation() throws {
        let file = try SharedFile(byteCount: 16 * 65_536)
        var limits = HostSessionLimits()
        limits.pendingRequestCount = 10
        var machine = try Self.machine(files: [file], limits: limits)
        var count = 0
        while machine.wantsRequests {
            try machine.received(.getHashes(HashRequest(layer: 2, index: 0, count: 1, proofLayers: 0)), handle: 0)
            count += 1
        }
        #expect(count == 10)
        while let job = machine.pollJob() {
            machine.hashesRead(.failure(FileReadError.missing), id: job.id)
            machine.hashesRead(.failure(FileReadError.missing), id: job.id)
        }
        #expect(machine.wantsRequests)
        while machine.pollResponse() != nil { count -= 1 }
        #expect(count == 0)
    }

    @Test("keeps a listing once however often it is open, and of different ones only so much")
    func listings() throws {
        var limits = HostSessionLimits()
        limits.listingByteCount = 1000
        var machine = HostSessionStateMachine(limits: limits)
        func open(_ name: UInt8, as handle: UInt32, byteCount: Int) throws -> ContentDescription.Content? {
            let hash = ContentHash(digest: SHA256Digest(hashing: [name]))
            try machine.received(.describe(hash, chunkLayer: nil), handle: handle)
            let job = try Self.require(machine.pollJob())
            let folder = HostedFolder(contentHash: hash, listing: [UInt8](repeating: name, count: byteCount))
            machine.lookedUp(.success(.folder(folder)), id: job.id)
            guard case .description(let description) = machine.pollResponse()?.response else { return nil }
            return description.content
        }
        for handle in 0..<100 as Range<UInt32> {
            let content = try open(1, as: handle, byteCount: 600)
            #expect(content == .folder(byteCount: 600))
        }
        let tooMuch = try open(2, as: 100, byteCount: 401)
        #expect(tooMuch == .refused(.busy))
        let fits = try open(3, as: 101, byteCount: 400)
        #expect(fits == .folder(byteCount: 400))
        for handle in 0..<100 as Range<UInt32> { try machine.received(.release, handle: handle) }
        let later = try open(4, as: 102, byteCount: 600)
        #expect(later == .folder(byteCount: 600))
    }

    @Test("survives damaged requests: what is owed and held stays within the limits", arguments: 0..<20 as Range<UInt64>)
    func fuzz(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let file = try SharedFile(byteCount: 40 * 65_536 + 5, seed: 3)
        let hosted = try file.hosted()
        let listing = [UInt8](repeating: 7, count: 300_000)
        let limits = HostSessionLimits()
        var machine = HostSessionStateMachine(limits: limits)
        var decoder = TransferFrameDecoder()
        var violations = 0
        for _ in 0..<400 {
            let range = Self.range(UInt32.random(in: 0..<50, using: &random), UInt32.random(in: 1..<60, using: &random))
            let requests: [TransferRequest] = [
                .describe(file.descriptor.contentHash, chunkLayer: [nil, 2, 3].randomElement(using: &random) ?? nil), .getChunks(range), .getChunks(range),
                .cancel(range), .subscribe, .release, .getListing(offset: 1000, byteCount: 131_072), .prove(block: 17, nonce: [1]),
                .getHashes(HashRequest(layer: 2, index: 0, count: 16, proofLayers: 2)), .resolve(requestID: 1, .name("a")),
            ]
            var frame = ByteBuffer()
            let request = requests.randomElement(using: &random) ?? .subscribe
            let handle: UInt32 = if case .resolve = request { 0 } else { UInt32.random(in: 0..<4, using: &random) }
            frame.writeTransferRequest(request, handle: handle)
            var bytes = ByteBuffer(bytes: Int.random(in: 0..<5, using: &random) == 0 ? random.mutated(Array(frame.readableBytesView)) : Array(frame.readableBytesView))
            do throws(TransferWireError) {
                while machine.wantsRequests, let event = try decoder.next(&bytes) {
                    guard case .request(let handle, let request) = event else { throw .unexpectedMessage }
                    try machine.received(request, handle: handle)
                }
            } catch {
                // The stream is reset: another session begins.
                violations += 1
                decoder = TransferFrameDecoder()
                machine = HostSessionStateMachine(limits: limits)
            }
            while let job = machine.pollJob() {
                switch job.work {
                case .lookUp:
                    let folder = HostedFolder(contentHash: file.descriptor.contentHash, listing: listing)
                    machine.lookedUp([.success(.file(hosted)), .success(.folder(folder)), .success(nil)].randomElement(using: &random) ?? .success(nil), id: job.id)
                case .resolve: machine.resolved([[1]], id: job.id)
                case .readHashes(let file, let request):
                    machine.hashesRead(Result { try TreeProver(try file.hashes.storedLayer()).segment(layer: request.layer, index: request.index, count: request.count) }, id: job.id)
                case .readProof: machine.proofRead(.failure(FileReadError.failed(errno: 5)), id: job.id)
                case .cutListing: break
                }
            }
            while let read = machine.pollRead(readAheadByteCount: limits.readAheadByteCount) {
                machine.framesRead(Int.random(in: 0..<20, using: &random) == 0 ? .failure(.changed) : .success(Self.frames(read)), id: read.id)
            }
            #expect((0...limits.outstandingChunkCount).contains(machine.outstandingChunkCount))
            #expect((0...limits.readAheadByteCount).contains(machine.bufferedByteCount))
            for _ in 0..<Int.random(in: 0..<40, using: &random) {
                _ = machine.takeFrame()
                _ = machine.pollResponse()
                _ = machine.pollEffect()
            }
        }
        #expect(violations > 0)
        for handle in 0..<4 as Range<UInt32> { try machine.received(.release, handle: handle) }
        #expect(machine.outstandingChunkCount == 0)
        #expect(machine.bufferedByteCount == 0)
    }
}
