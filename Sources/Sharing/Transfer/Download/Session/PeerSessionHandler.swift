import DIGContent
import DIGIdentity
import Logging
import NIOCore
import NIOPosix

/// Asks, and takes apart what comes: control messages go to the observers, chunk bodies into slabs.
///
/// A chunk body is copied once, from the read buffer into its slab. A full slab, up to 1 MiB, is one job on the thread pool: prove the chunks
/// together, write them, come back once. With no slab free the stream is not read, so the sender is slowed down.
///
/// What may come and what follows from it is decided without IO: by ``OutstandingChunks`` and ``DueAnswers`` for each handle, by ``ChunkAssembly`` and
/// ``SessionAuthentication`` for the stream.
final class PeerSessionHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    /// How often bytes without a whole chunk are reported.
    static let progressInterval: TimeAmount = .seconds(1)

    private struct Content {
        let observer: any SessionObserver
        let contentHash: ContentHash
        let chunkLayer: Int?
        let subscribes: Bool
        var layout: ChunkLayout?
        var file: PartFile?
        var outstanding = OutstandingChunks()
        var due = DueAnswers()
    }

    /// See ``DownloadOptions/authenticator``.
    ///
    /// Returns nil once the peer is satisfied.
    typealias Authenticate = @Sendable (ContentHash) async -> TransferError?

    private let peer: PeerID
    private let pool: ChunkSlabPool
    private let limiter: RateLimiter?
    private let threadPool: NIOThreadPool
    private let logger: Logger
    private let authenticate: Authenticate?
    private var authentication: SessionAuthentication
    private var authenticationTask: Task<Void, Never>?

    private var context: ChannelHandlerContext?
    private var decoder = TransferFrameDecoder()
    private var contents: [UInt32: Content] = [:]
    private var nextHandle: UInt32 = 1
    private var news = NewsBudget(now: .now())
    private let assembly = ChunkAssembly()

    /// Read and not taken apart, because no slab was free.
    private var backlog = ByteBuffer()
    private var isReadHeldBack = false
    private var readyAt: NIODeadline = .uptimeNanoseconds(0)
    private var paceTimer: Scheduled<Void>?
    private var lastReport: NIODeadline = .uptimeNanoseconds(0)

    init(peer: PeerID, pool: ChunkSlabPool, limiter: RateLimiter?, threadPool: NIOThreadPool, logger: Logger, authenticate: Authenticate? = nil) {
        self.peer = peer
        self.pool = pool
        self.limiter = limiter
        self.threadPool = threadPool
        self.logger = logger
        self.authenticate = authenticate
        self.authentication = SessionAuthentication(isPossible: authenticate != nil)
    }

    // MARK: - Commands

    func attach(_ observer: any SessionObserver, contentHash: ContentHash, chunkLayer: Int?, subscribes: Bool) -> UInt32? {
        guard let context = self.context, self.contents.count < TransferLimits.maximumHandleCount else { return nil }
        let handle = self.nextHandle
        self.nextHandle = handle == .max ? 1 : handle + 1
        guard self.contents[handle] == nil else { return nil }
        var content = Content(observer: observer, contentHash: contentHash, chunkLayer: chunkLayer, subscribes: subscribes)
        if subscribes { content.due.asked(.subscribe) }
        self.contents[handle] = content
        self.authentication.opened(handle)
        var buffer = context.channel.allocator.buffer(capacity: 128)
        Self.open(content, handle: handle, in: &buffer)
        context.writeAndFlush(self.wrapOutboundOut(buffer), promise: nil)
        return handle
    }

    private static func open(_ content: Content, handle: UInt32, in buffer: inout ByteBuffer) {
        buffer.writeTransferRequest(.describe(content.contentHash, chunkLayer: content.chunkLayer), handle: handle)
        if content.subscribes { buffer.writeTransferRequest(.subscribe, handle: handle) }
    }

    func prepare(_ handle: UInt32, file: PartFile, layout: ChunkLayout) {
        self.contents[handle]?.file = file
        self.contents[handle]?.layout = layout
    }

    func perform(_ commands: [SessionCommand], handle: UInt32) {
        guard let context = self.context, self.contents[handle] != nil else { return }
        var buffer = context.channel.allocator.buffer(capacity: 64 * commands.count)
        var isReleased = false
        func ask(_ request: TransferRequest) {
            buffer.writeTransferRequest(request, handle: handle)
            self.contents[handle]?.due.asked(request)
            self.authentication.asked(request, handle: handle)
        }
        for command in commands {
            switch command {
            case .getHashes(let request): ask(.getHashes(request))
            case .getListing(let offset, let byteCount): ask(.getListing(offset: offset, byteCount: byteCount))
            case .getChunks(let chunks, let hashes):
                guard let range = ChunkRange(chunks), self.contents[handle]?.outstanding.insert(chunks, hashes: hashes) == true else { continue }
                ask(.getChunks(range))
            case .cancel(let chunks):
                guard let range = ChunkRange(chunks) else { continue }
                ask(.cancel(range))
                self.expectLate(self.contents[handle]?.outstanding.remove(chunks) ?? [], handle: handle)
            case .release:
                buffer.writeTransferRequest(.release, handle: handle)
                isReleased = true
            }
        }
        context.writeAndFlush(self.wrapOutboundOut(buffer), promise: nil)
        if isReleased { self.release(handle) }
        // Whoever cancels has not seen what is here already.
        if self.assembly.handle == handle, self.contents[handle]?.outstanding.count == 0 { self.flush() }
    }

    /// The chunks will be discarded if they come.
    private func expectLate(_ chunks: [Int], handle: UInt32) {
        guard let layout = self.contents[handle]?.layout else { return }
        for chunk in chunks { self.assembly.expectLate(DownloadStateMachine.byteCount(of: chunk, layout)) }
    }

    private func release(_ handle: UInt32) {
        self.expectLate(self.contents[handle]?.outstanding.removeAll() ?? [], handle: handle)
        self.authentication.released(handle)
        let content = self.contents.removeValue(forKey: handle)
        if let batch = self.assembly.released(handle) { self.submit(batch, content) }
    }

    func close() { self.context?.close(mode: .all, promise: nil) }

    // MARK: - Authentication

    /// The peer wants to know who this is, or more than it knows: it is told, in a task of its own.
    private func prove(_ contentHash: ContentHash) {
        guard let context = self.context, let authenticate = self.authenticate else { return }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let eventLoop = context.eventLoop
        self.authenticationTask = Task {
            let error = await authenticate(contentHash)
            eventLoop.execute { bound.value.authenticated(error) }
        }
    }

    private func authenticated(_ error: TransferError?) {
        guard self.context != nil else { return }
        self.authenticationTask = nil
        guard let error else {
            for (handle, requests) in self.authentication.proven() { self.askAgain(requests, handle: handle) }
            return
        }
        var description = ContentDescription(.refused(.authenticationRequired))
        description.refusal = error
        for handle in self.authentication.failed(error) { self.contents[handle]?.observer.received(.described(description)) }
    }

    /// Opens the handle anew and asks for everything that was asked for under it.
    private func askAgain(_ requests: [TransferRequest], handle: UInt32) {
        guard let context = self.context, let content = self.contents[handle] else { return }
        var buffer = context.channel.allocator.buffer(capacity: 256)
        buffer.writeTransferRequest(.release, handle: handle)
        Self.open(content, handle: handle, in: &buffer)
        for request in requests { buffer.writeTransferRequest(request, handle: handle) }
        context.writeAndFlush(self.wrapOutboundOut(buffer), promise: nil)
    }

    // MARK: - The stream

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.pool.sessionAdded()
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.end(nil) }

    func channelInactive(context: ChannelHandlerContext) {
        self.end(nil)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.end(TransferError(.disconnected, "the stream to the peer failed", cause: error))
        context.close(mode: .all, promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // A host never ends its direction while the session is open.
        if case .some(.inputClosed) = event as? ChannelEvent { context.close(mode: .all, promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    /// Lets go of everything; harmless when repeated.
    private func end(_ error: TransferError?) {
        guard self.context != nil else { return }
        // What came whole is kept, whatever ended the stream.
        if let batch = self.assembly.close() { self.submit(batch, self.contents[batch.handle]) }
        self.context = nil
        self.authenticationTask?.cancel()
        self.paceTimer?.cancel()
        self.pool.stopWaiting(self)
        self.pool.sessionRemoved()
        self.backlog = ByteBuffer()
        let contents = self.contents.values
        self.contents = [:]
        let error = error ?? TransferError(.disconnected, "the connection to the peer ended")
        for content in contents { content.observer.received(.ended(error)) }
    }

    private func violate(_ message: String, cause: (any Error)? = nil) {
        let error = TransferError(.protocolViolation, message, cause: cause)
        self.logger.debug("peer broke the transfer protocol", metadata: ["dig.transfer.peer": "\(self.peer)", "dig.transfer.error": "\(error)"])
        for content in self.contents.values { content.observer.received(.violated(error)) }
        let context = self.context
        self.end(error)
        context?.close(mode: .all, promise: nil)
    }

    func read(context: ChannelHandlerContext) {
        self.isReadHeldBack = true
        self.readIfReady(context)
    }

    private func readIfReady(_ context: ChannelHandlerContext) {
        guard self.isReadHeldBack, self.backlog.readableBytes == 0, !self.assembly.isWaiting else { return }
        let now = NIODeadline.now()
        guard self.readyAt <= now else {
            guard self.paceTimer == nil else { return }
            let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
            self.paceTimer = context.eventLoop.scheduleTask(deadline: self.readyAt) {
                bound.value.paceTimer = nil
                if let context = bound.value.context { bound.value.readIfReady(context) }
            }
            return
        }
        self.isReadHeldBack = false
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard self.context != nil else { return }
        var bytes = self.unwrapInboundIn(data)
        if let limiter = self.limiter {
            let now = NIODeadline.now()
            _ = limiter.reserve(bytes.readableBytes, now: now)
            self.readyAt = limiter.readyAt(now: now)
        }
        if self.backlog.readableBytes > 0 {
            self.backlog.writeBuffer(&bytes)
        } else {
            self.takeApart(&bytes)
            if bytes.readableBytes > 0 { self.backlog = bytes }
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if self.context != nil {
            if self.assembly.isBetweenChunks { self.flush() }
            self.reportProgress(context)
        }
        context.fireChannelReadComplete()
    }

    private func reportProgress(_ context: ChannelHandlerContext) {
        let now = context.eventLoop.now
        guard now >= self.lastReport + Self.progressInterval else { return }
        self.lastReport = now
        for content in self.contents.values where content.outstanding.count > 0 || self.assembly.handle != nil { content.observer.received(.progressed) }
    }

    /// A slab may be free.
    private func resume() {
        guard let context = self.context else { return self.pool.passOn() }
        let isTaken = self.assembly.slabFreed(now: .now()) { self.takeSlab() }
        guard !self.assembly.isWaiting else { return }
        // Not needed any more, because the chunk went on where it was or was cancelled: others wait for it.
        if !isTaken { self.pool.passOn() }
        var bytes = self.backlog
        self.backlog = ByteBuffer()
        self.takeApart(&bytes)
        if bytes.readableBytes > 0 { self.backlog = bytes }
        if self.context != nil { self.readIfReady(context) }
    }

    // MARK: - Taking apart

    private func takeApart(_ bytes: inout ByteBuffer) {
        while self.context != nil, !self.assembly.isWaiting {
            let event: TransferFrameEvent?
            do {
                event = try self.decoder.next(&bytes)
            } catch {
                return self.violate("the peer sent bytes that are no frame", cause: error)
            }
            switch event {
            case .chunkBody(let body): self.assembly.append(body)
            case .chunkBegan(let handle, let index, let byteCount):
                self.chunkBegan(handle: handle, chunk: Int(index), byteCount: byteCount)
            case .chunkEnded:
                let outstandingCount = self.assembly.handle.flatMap { self.contents[$0]?.outstanding.count } ?? 0
                if let batch = self.assembly.end(outstandingCount: outstandingCount, now: .now()) { self.submit(batch, self.contents[batch.handle]) }
            case .response(let handle, let response): self.received(response, handle: handle)
            case .request: return self.violate("the peer asked on a stream on which it answers")
            case nil: return
            }
        }
    }

    private func chunkBegan(handle: UInt32, chunk: Int, byteCount: Int) {
        guard let layout = self.contents[handle]?.layout, let hash = self.contents[handle]?.outstanding.take(chunk) else {
            if self.assembly.beginLate(byteCount: byteCount) { return }
            return self.violate("the peer sent chunk \(chunk), which was not asked for")
        }
        let expected = DownloadStateMachine.byteCount(of: chunk, layout)
        guard byteCount == expected else { return self.violate("chunk \(chunk) from the peer has \(byteCount) bytes, not \(expected)") }
        let batch = self.assembly.begin(chunk, handle: handle, hash: hash, byteCount: byteCount, now: .now()) { self.takeSlab() }
        if let batch { self.submit(batch, self.contents[batch.handle]) }
    }

    private func received(_ response: TransferResponse, handle: UInt32) {
        // A handle that was released: what was on its way.
        guard let observer = self.contents[handle]?.observer else { return }
        let isRefused = self.authentication.isRefused(handle)
        guard self.contents[handle]?.due.received(response, isRefused: isRefused, news: &self.news, now: .now()) == true else {
            return self.violate("the peer sent an answer that was not asked for")
        }
        if case .description(let description) = response { return self.described(description, handle: handle, observer) }
        guard !isRefused else { return }
        switch response {
        case .hashes(let segment): observer.received(.hashes(segment))
        case .hashesUnavailable(let id, _): observer.received(.hashesUnavailable(id))
        case .bitfield(let part): observer.received(.bitfield(part))
        case .have(let ranges): observer.received(.have(ranges))
        case .chunksUnavailable(let range, let reason):
            self.withdraw(range, handle: handle)
            observer.received(.chunksUnavailable(range, reason))
        case .listingPart(let offset, let bytes): observer.received(.listingPart(offset: offset, bytes: bytes))
        case .description, .proof, .proofUnavailable, .resolved: break
        }
    }

    private func described(_ description: ContentDescription, handle: UInt32, _ observer: any SessionObserver) {
        let isAboutThePeer = if case .refused(let reason) = description.content { reason.isAboutThePeer } else { false }
        switch self.authentication.described(handle, isAboutThePeer: isAboutThePeer) {
        case .violation: self.violate("the peer sent an answer that was not asked for")
        case .report(let refusal):
            var description = description
            description.refusal = refusal
            observer.received(.described(description))
        case .prove:
            if let contentHash = self.contents[handle]?.contentHash { self.prove(contentHash) }
        case .wait: break
        case .askAgain(let requests): self.askAgain(requests, handle: handle)
        }
    }

    /// The peer will not send these.
    private func withdraw(_ range: ChunkRange, handle: UInt32) {
        _ = self.contents[handle]?.outstanding.remove(range.indices)
        if self.assembly.handle == handle, self.contents[handle]?.outstanding.count == 0, self.assembly.isBetweenChunks {
            self.flush()
        }
    }

    // MARK: - Slabs

    /// An empty one; if none is free, ``resume()`` is called once one may be.
    private func takeSlab() -> ChunkSlab? {
        guard let context = self.context else { return nil }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        return self.pool.take(for: self, on: context.eventLoop) { bound.value.resume() }
    }

    /// Hands whole chunks to a job, instead of waiting for more.
    private func flush() {
        let batch = self.assembly.flush(now: .now()) { self.takeSlab() }
        if let batch { self.submit(batch, self.contents[batch.handle]) }
    }

    private func submit(_ batch: ChunkAssembly.Batch, _ content: Content?) {
        let slab = batch.slab
        guard !slab.isEmpty, let content, let file = content.file, let layout = content.layout, let eventLoop = self.context?.eventLoop else {
            return self.pool.giveBack(slab)
        }
        let observer = content.observer
        let pool = self.pool
        self.threadPool.submit { state in
            let chunks = slab.chunks
            let event: SessionEvent
            switch state {
            case .cancelled:
                event = .diskFailed(TransferError(.diskFailure, "the thread pool was shut down"))
            case .active:
                do throws(TransferError) {
                    event = .checked(chunks, corrupt: try slab.proveAndWrite(to: file, layout: layout))
                } catch {
                    event = .diskFailed(error)
                }
            }
            pool.giveBack(slab)
            eventLoop.execute { observer.received(event) }
        }
    }
}
