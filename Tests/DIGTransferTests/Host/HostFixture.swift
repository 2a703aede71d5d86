import DIGContent
import DIGIdentity
import DIGNet
import DIGTestSupport
import Foundation
import Logging
import NIOCore
import NIOEmbedded
import NIOPosix
import Synchronization

@testable import DIGTransfer

/// A real file in a folder of its own, with its tree.
final class SharedFile: Sendable {
    let path: String
    let bytes: [UInt8]
    let descriptor: DIGContent.FileDescriptor
    let layer: TreeLayer
    let chunkLayer: Int

    init(byteCount: Int, chunkLayer: Int = 2, seed: UInt64 = 1) throws {
        var random = SeededGenerator(seed: seed)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(byteCount + 8)
        while bytes.count < byteCount { withUnsafeBytes(of: random.next()) { bytes.append(contentsOf: $0) } }
        bytes.removeLast(bytes.count - byteCount)
        self.bytes = bytes
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("dig-host-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        self.path = folder.appendingPathComponent("file").path
        try Data(bytes).write(to: URL(fileURLWithPath: self.path))

        let unit = TreeGeometry.blockByteCount
        let leaves = stride(from: 0, to: byteCount, by: unit).flatMap { SHA256Digest(hashing: bytes[$0..<min($0 + unit, byteCount)]).bytes }
        let blocks = try TreeLayer(fileSize: UInt64(byteCount), layer: 0, rawBytes: leaves)
        self.layer = try blocks.higher(min(chunkLayer, blocks.geometry.height))
        self.descriptor = try self.layer.descriptor()
        self.chunkLayer = chunkLayer
    }

    deinit { try? FileManager.default.removeItem(atPath: (self.path as NSString).deletingLastPathComponent) }

    func hosted(availability: any ChunkAvailability = CompleteAvailability(), name: String? = "file") throws -> HostedFile {
        HostedFile(
            descriptor: self.descriptor, chunkLayer: self.chunkLayer, path: self.path, stamp: try FileStamp(ofFileAt: self.path), name: name,
            hashes: self.layer, availability: availability)
    }

    func chunk(_ index: Int, layer: Int? = nil) -> ArraySlice<UInt8> {
        let unit = TreeGeometry.blockByteCount << (layer ?? self.chunkLayer)
        return self.bytes[index * unit..<min(self.bytes.count, (index + 1) * unit)]
    }
}

final class TestProvider: ContentProvider {
    struct Failure: Error {}
    struct State {
        var contents: [ContentHash: HostedContent] = [:]
        /// Asked anew each time, as a node does.
        var downloads: [ContentHash: FileDownload] = [:]
        var bindings: [BindingKey: [SignedEnvelope]] = [:]
        var changed: [ContentHash] = []
        var failing: Set<ContentHash> = []
    }
    let state = Mutex(State())
    /// Yields a hash each time the host reports a change.
    let changes: AsyncStream<ContentHash>
    private let changed: AsyncStream<ContentHash>.Continuation

    init() { (self.changes, self.changed) = AsyncStream.makeStream() }

    func content(for hash: ContentHash) async throws -> HostedContent? {
        let (content, download) = try self.state.withLock { state in
            if state.failing.contains(hash) { throw Failure() }
            return (state.contents[hash], state.downloads[hash])
        }
        if let content { return content }
        return await download?.hostedContent()
    }

    func bindings(for key: BindingKey) async -> [SignedEnvelope] { self.state.withLock { $0.bindings[key] ?? [] } }

    func contentChanged(_ hash: ContentHash) async {
        self.state.withLock { $0.changed.append(hash) }
        self.changed.yield(hash)
    }

    @discardableResult
    func add(_ file: SharedFile, availability: any ChunkAvailability = CompleteAvailability()) throws -> HostedFile {
        let hosted = try file.hosted(availability: availability)
        self.state.withLock { $0.contents[file.descriptor.contentHash] = .file(hosted) }
        return hosted
    }
}

/// Counts how often the host asks the stream for more.
final class ReadCounter: ChannelOutboundHandler, Sendable {
    typealias OutboundIn = ByteBuffer
    let count = Atomic(0)

    func read(context: ChannelHandlerContext) {
        self.count.add(1, ordering: .relaxed)
        context.read()
    }
}

/// A host and one stream to it, seen from the client's end.
final class HostFixture {
    enum Received: Equatable {
        case response(UInt32, TransferResponse)
        case chunk(UInt32, UInt32, [UInt8])
    }

    struct NothingCame: Error {}

    let provider: TestProvider
    let host: TransferHost
    let peer: PeerID
    let channel: NIOAsyncTestingChannel
    let reads = ReadCounter()
    private var decoder = TransferFrameDecoder()
    private var received: [Received] = []
    private var chunk: (UInt32, UInt32, [UInt8])?

    static let pool = NIOThreadPool.singleton

    init(
        provider: TestProvider = TestProvider(), configuration: TransferHostConfiguration = TransferHostConfiguration(), host: TransferHost? = nil,
        peer: PeerID? = nil, connection: (any Connection)? = nil
    ) async throws {
        self.provider = provider
        self.host = host ?? TransferHost(provider: provider, configuration: configuration, threadPool: Self.pool, logger: Logger(label: "test"))
        self.peer = try peer ?? KeyPair.generate(.ed25519).peerID
        self.channel = NIOAsyncTestingChannel()
        let channel = self.channel
        let theHost = self.host
        let thePeer = self.peer
        let reads = self.reads
        let served = try await channel.testingEventLoop.executeInContext {
            try channel.pipeline.syncOperations.addHandler(reads)
            return theHost.serve(channel, peer: thePeer, connection: connection)
        }
        try await served.get()
        try await channel.connect(to: SocketAddress(unixDomainSocketPath: "/test"))
    }

    func send(_ request: TransferRequest, handle: UInt32 = 1) async throws {
        var bytes = ByteBuffer()
        bytes.writeTransferRequest(request, handle: handle)
        try await self.channel.writeInbound(bytes)
    }

    func send(_ requests: [(UInt32, TransferRequest)]) async throws {
        var bytes = ByteBuffer()
        for (handle, request) in requests { bytes.writeTransferRequest(request, handle: handle) }
        try await self.channel.writeInbound(bytes)
    }

    /// The next message from the host; waits for it.
    func next() async throws -> Received {
        let deadline = ContinuousClock.now + .seconds(30)
        while self.received.isEmpty {
            if var bytes = try await self.channel.readOutbound(as: ByteBuffer.self) {
                try self.take(&bytes)
            } else {
                guard ContinuousClock.now < deadline else { throw NothingCame() }
                try await self.settle()
            }
        }
        return self.received.removeFirst()
    }

    /// Everything written so far, without waiting.
    func pending() async throws -> [Received] {
        while var bytes = try await self.channel.readOutbound(as: ByteBuffer.self) { try self.take(&bytes) }
        defer { self.received = [] }
        return self.received
    }

    private func take(_ bytes: inout ByteBuffer) throws {
        while let event = try self.decoder.next(&bytes) {
            switch event {
            case .response(let handle, let response): self.received.append(.response(handle, response))
            case .chunkBegan(let handle, let index, _): self.chunk = (handle, index, [])
            case .chunkBody(let body): self.chunk?.2.append(contentsOf: body.readableBytesView)
            case .chunkEnded:
                if let (handle, index, bytes) = self.chunk { self.received.append(.chunk(handle, index, bytes)) }
            case .request: throw TransferWireError.unexpectedMessage
            }
        }
    }

    /// Opens a content and gives its description.
    func describe(_ hash: ContentHash, handle: UInt32 = 1, chunkLayer: Int? = nil) async throws -> ContentDescription? {
        try await self.send(.describe(hash, chunkLayer: chunkLayer), handle: handle)
        guard case .response(handle, .description(let description)) = try await self.next() else { return nil }
        return description
    }

    /// Chunks by index, until `count` have come.
    func chunks(_ count: Int) async throws -> [(index: UInt32, bytes: [UInt8])] {
        var chunks: [(UInt32, [UInt8])] = []
        while chunks.count < count {
            guard case .chunk(_, let index, let bytes) = try await self.next() else { continue }
            chunks.append((index, bytes))
        }
        return chunks
    }

    private func machine<Value: Sendable>(_ body: @escaping @Sendable (HostSessionStateMachine) -> Value) async throws -> Value {
        let channel = self.channel
        return try await channel.testingEventLoop.executeInContext {
            body(try channel.pipeline.syncOperations.handler(type: HostSessionHandler.self).machine)
        }
    }

    func bufferedByteCount() async throws -> Int { try await self.machine(\.bufferedByteCount) }
    func outstandingChunkCount() async throws -> Int { try await self.machine(\.outstandingChunkCount) }
    func isIdle() async throws -> Bool { try await self.machine(\.isIdle) }

    func setWritable(_ isWritable: Bool) async throws {
        let channel = self.channel
        try await channel.testingEventLoop.executeInContext {
            channel.isWritable = isWritable
            channel.pipeline.fireChannelWritabilityChanged()
        }
    }

    /// Waits until what was handed to the thread pool is done and back on the loop.
    func settle() async throws {
        for _ in 0..<4 {
            try await Self.pool.runIfActive {}
            try await self.channel.testingEventLoop.executeInContext {}
        }
    }
}
