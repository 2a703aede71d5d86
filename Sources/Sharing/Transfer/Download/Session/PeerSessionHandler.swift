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
/// Slabs that are not full go to a job when waiting would hold somebody up: nothing more is outstanding than what they hold, the
/// stream pauses between two chunks, or the oldest chunk waits longer than ``maximumDelay``.
final class PeerSessionHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    /// How long a whole chunk may wait for the next one.
    static let maximumDelay: TimeAmount = .milliseconds(5)
    /// How often bytes without a whole chunk are reported.
    static let progressInterval: TimeAmount = .seconds(1)

    private struct Request {
        let chunks: Range<Int>
        let hashes: ArraySlice<SHA256Digest>
        /// Bit i: chunk `chunks.lowerBound + i` has not come.
        var remaining: UInt64

        func isAwaiting(_ chunk: Int) -> Bool {
            self.chunks.contains(chunk) && self.remaining & (1 << UInt64(chunk - self.chunks.lowerBound)) != 0
        }
    }

    private struct Content {
        let observer: any SessionObserver
        var layout: ChunkLayout?
        var file: PartFile?
        var requests: [Request] = []
        /// Chunks asked for that have not begun to come.
        var outstandingCount = 0
        var isDescribed = false
        /// The bitfield was asked for; its first part has not come.
        var isBitfieldDue: Bool
        /// Answers that were asked for and have not come.
        var dueHashCount = 0
        var dueListingCount = 0
        let contentHash: ContentHash
        let chunkLayer: Int?
        let subscribes: Bool
        /// Asked for before the description came: asked for again if the peer first wants to know who this is.
        var early: [TransferRequest] = []
        /// The description was asked for before the peer knew who this is.
        var isEarlierThanAuthentication = false
        /// The peer has refused, and is being convinced. What it refuses until it describes the content counts for nothing.
        var isAuthenticating = false
    }

    /// See ``DownloadOptions/authenticator``.
    ///
    /// Returns nil once the peer is satisfied.
    typealias Authenticate = @Sendable (ContentHash) async -> TransferError?

    /// What came of proving who this is, once for the session.
    private enum Authentication {
        case none
        case running
        case failed(TransferError)
        case done
    }

    private enum Incoming {
        case nothing
        /// Into the slab.
        case chunk
        /// Cancelled, or of a handle that was released.
        case discarded
        /// The header is read, a slab is not free.
        case waiting(handle: UInt32, chunk: Int, hash: SHA256Digest)
    }

    private let peer: PeerID
    private let pool: ChunkSlabPool
    private let limiter: RateLimiter?
    private let threadPool: NIOThreadPool
    private let logger: Logger
    private let authenticate: Authenticate?
    private var authentication = Authentication.none
    private var authenticationTask: Task<Void, Never>?

    private var context: ChannelHandlerContext?
    private var decoder = TransferFrameDecoder()
    private var contents: [UInt32: Content] = [:]
    private var nextHandle: UInt32 = 1
    /// Bytes of chunks that were cancelled or whose handle was released: so many may still come.
    private var lateByteCount = 0
    private var news = NewsBudget(now: .now())

    private var incoming = Incoming.nothing
    private var slab: (slab: ChunkSlab, handle: UInt32, since: NIODeadline)?
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
    }

    // MARK: - Commands

    func attach(_ observer: any SessionObserver, contentHash: ContentHash, chunkLayer: Int?, subscribes: Bool) -> UInt32? {
        guard let context = self.context, self.contents.count < TransferLimits.maximumHandleCount else { return nil }
        let handle = self.nextHandle
        self.nextHandle = handle == .max ? 1 : handle + 1
        guard self.contents[handle] == nil else { return nil }
        self.contents[handle] = Content(
            observer: observer, isBitfieldDue: subscribes, contentHash: contentHash, chunkLayer: chunkLayer, subscribes: subscribes)
        var buffer = context.channel.allocator.buffer(capacity: 128)
        buffer.writeTransferRequest(.describe(contentHash, chunkLayer: chunkLayer), handle: handle)
        if subscribes { buffer.writeTransferRequest(.subscribe, handle: handle) }
        context.writeAndFlush(self.wrapOutboundOut(buffer), promise: nil)
        return handle
    }

    // MARK: - Authentication

    /// The peer wants to know who this is before it says anything, or knows and wants more: what was proven on this connection earlier may not have been
    /// for this content, and whoever shows what there is learns what is missing. Returns whether that is being told; then the refusal has not happened.
    private func authenticateInstead(of description: inout ContentDescription, handle: UInt32) -> Bool {
        guard let context = self.context, let authenticate = self.authenticate, let content = self.contents[handle], !content.isAuthenticating,
            case .refused(let reason) = description.content, reason.isAboutThePeer
        else { return false }
        switch self.authentication {
        case .failed(let error):
            description.refusal = error
            return false
        case .done:
            // It was satisfied before: more cannot be proven. But whoever asked before that is asked again.
            guard content.isEarlierThanAuthentication else { return false }
            self.contents[handle]?.isAuthenticating = true
            self.askAgain(handle)
        case .running:
            self.contents[handle]?.isAuthenticating = true
        case .none:
            self.authentication = .running
            self.contents[handle]?.isAuthenticating = true
            let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
            let eventLoop = context.eventLoop
            let hash = content.contentHash
            self.authenticationTask = Task {
                let error = await authenticate(hash)
                eventLoop.execute { bound.value.authenticated(error) }
            }
        }
        return true
    }

    private func authenticated(_ error: TransferError?) {
        guard self.context != nil else { return }
        self.authenticationTask = nil
        if let error {
            self.authentication = .failed(error)
            var description = ContentDescription(.refused(.authenticationRequired))
            description.refusal = error
            for (handle, content) in self.contents where content.isAuthenticating {
                self.contents[handle]?.isAuthenticating = false
                content.observer.received(.described(description))
            }
            return
        }
        self.authentication = .done
        for handle in self.contents.keys.sorted() {
            if self.contents[handle]?.isAuthenticating == true {
                self.askAgain(handle)
            } else if self.contents[handle]?.isDescribed == false {
                // What is asked for from here on is asked by somebody known.
                self.contents[handle]?.isEarlierThanAuthentication = true
            }
        }
    }

    /// Opens the handle anew and asks for everything that was asked for under it.
    private func askAgain(_ handle: UInt32) {
        guard let context = self.context, let content = self.contents[handle] else { return }
        self.contents[handle]?.isDescribed = false
        self.contents[handle]?.isEarlierThanAuthentication = false
        var buffer = context.channel.allocator.buffer(capacity: 256)
        buffer.writeTransferRequest(.release, handle: handle)
        buffer.writeTransferRequest(.describe(content.contentHash, chunkLayer: content.chunkLayer), handle: handle)
        if content.subscribes { buffer.writeTransferRequest(.subscribe, handle: handle) }
        for request in content.early { buffer.writeTransferRequest(request, handle: handle) }
        context.writeAndFlush(self.wrapOutboundOut(buffer), promise: nil)
    }

    func prepare(_ handle: UInt32, file: PartFile, layout: ChunkLayout) {
        self.contents[handle]?.file = file
        self.contents[handle]?.layout = layout
    }

    func perform(_ commands: [SessionCommand], handle: UInt32) {
        guard let context = self.context, var content = self.contents[handle] else { return }
        var buffer = context.channel.allocator.buffer(capacity: 64 * commands.count)
        var isReleased = false
        // Until the description is here, or is asked for again: then these go behind it.
        let isEarly = !content.isDescribed || content.isAuthenticating
        func ask(_ request: TransferRequest) {
            buffer.writeTransferRequest(request, handle: handle)
            if isEarly, self.authenticate != nil { content.early.append(request) }
        }
        for command in commands {
            switch command {
            case .getHashes(let request):
                ask(.getHashes(request))
                content.dueHashCount += 1
            case .getListing(let offset, let byteCount):
                ask(.getListing(offset: offset, byteCount: byteCount))
                content.dueListingCount += 1
            case .getChunks(let chunks, let hashes):
                guard let range = ChunkRange(chunks), chunks.count <= ChunkSlab.maximumChunkCount else { continue }
                ask(.getChunks(range))
                content.requests.append(Request(chunks: chunks, hashes: hashes, remaining: ~0 >> UInt64(64 - chunks.count)))
                content.outstandingCount += chunks.count
            case .cancel(let chunks):
                guard let range = ChunkRange(chunks) else { continue }
                ask(.cancel(range))
                for chunk in chunks { self.expectLate(chunk, &content) }
            case .release:
                buffer.writeTransferRequest(.release, handle: handle)
                isReleased = true
            }
        }
        context.writeAndFlush(self.wrapOutboundOut(buffer), promise: nil)
        self.contents[handle] = content
        if isReleased { self.release(handle) }
        // Whoever cancels has not seen what is here already.
        if self.slab?.handle == handle, content.outstandingCount == 0 { self.flushSlab(context) }
    }

    /// The chunk will be discarded if it comes.
    private func expectLate(_ chunk: Int, _ content: inout Content) {
        guard let position = content.requests.firstIndex(where: { $0.isAwaiting(chunk) }), let layout = content.layout else { return }
        content.requests[position].remaining &= ~(1 << UInt64(chunk - content.requests[position].chunks.lowerBound))
        if content.requests[position].remaining == 0 { content.requests.remove(at: position) }
        content.outstandingCount -= 1
        self.lateByteCount += DownloadStateMachine.byteCount(of: chunk, layout)
    }

    private func release(_ handle: UInt32) {
        guard let content = self.contents.removeValue(forKey: handle) else { return }
        if let layout = content.layout {
            for request in content.requests {
                for chunk in request.chunks where request.isAwaiting(chunk) {
                    self.lateByteCount += DownloadStateMachine.byteCount(of: chunk, layout)
                }
            }
        }
        if self.slab?.handle == handle {
            switch self.incoming {
            case .chunk: self.incoming = .discarded
            case .waiting, .nothing, .discarded: break
            }
            self.submitSlab(content)
        }
    }

    func close() { self.context?.close(mode: .all, promise: nil) }

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
        if let handle = self.slab?.handle, let content = self.contents[handle] { self.submitSlab(content) }
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
        guard self.isReadHeldBack, self.backlog.readableBytes == 0 else { return }
        if case .waiting = self.incoming { return }
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
            if case .nothing = self.incoming { self.flushSlab(context) }
            self.reportProgress(context)
        }
        context.fireChannelReadComplete()
    }

    private func reportProgress(_ context: ChannelHandlerContext) {
        let now = context.eventLoop.now
        guard now >= self.lastReport + Self.progressInterval else { return }
        self.lastReport = now
        for content in self.contents.values where content.outstandingCount > 0 || self.slab != nil { content.observer.received(.progressed) }
    }

    /// A slab may be free.
    private func resume() {
        guard let context = self.context else { return self.pool.passOn() }
        let hadSlab = self.slab != nil
        if case .waiting(let handle, let chunk, let hash) = self.incoming {
            guard self.beginChunk(chunk, handle: handle, hash: hash) else { return }
        }
        // Not needed any more, because the chunk went on where it was or was cancelled: others wait for it.
        if hadSlab || self.slab == nil { self.pool.passOn() }
        var bytes = self.backlog
        self.backlog = ByteBuffer()
        self.takeApart(&bytes)
        if bytes.readableBytes > 0 { self.backlog = bytes }
        if self.context != nil { self.readIfReady(context) }
    }

    // MARK: - Taking apart

    private func takeApart(_ bytes: inout ByteBuffer) {
        while self.context != nil {
            if case .waiting = self.incoming { return }
            let event: TransferFrameEvent?
            do {
                event = try self.decoder.next(&bytes)
            } catch {
                return self.violate("the peer sent bytes that are no frame", cause: error)
            }
            switch event {
            case .chunkBody(let body):
                if case .chunk = self.incoming, let slab = self.slab?.slab { body.withUnsafeReadableBytes { slab.append($0) } }
            case .chunkBegan(let handle, let index, let byteCount):
                self.chunkBegan(handle: handle, chunk: Int(index), byteCount: byteCount)
            case .chunkEnded:
                self.chunkEnded(remainingByteCount: bytes.readableBytes)
            case .response(let handle, let response):
                self.received(response, handle: handle)
            case .request:
                return self.violate("the peer asked on a stream on which it answers")
            case nil:
                return
            }
        }
    }

    private func chunkBegan(handle: UInt32, chunk: Int, byteCount: Int) {
        if let position = self.contents[handle]?.requests.firstIndex(where: { $0.isAwaiting(chunk) }), let layout = self.contents[handle]?.layout,
            let request = self.contents[handle]?.requests[position]
        {
            guard byteCount == DownloadStateMachine.byteCount(of: chunk, layout) else {
                return self.violate("chunk \(chunk) from the peer has \(byteCount) bytes, not \(DownloadStateMachine.byteCount(of: chunk, layout))")
            }
            let offset = chunk - request.chunks.lowerBound
            self.contents[handle]?.requests[position].remaining &= ~(1 << UInt64(offset))
            if self.contents[handle]?.requests[position].remaining == 0 { self.contents[handle]?.requests.remove(at: position) }
            self.contents[handle]?.outstandingCount -= 1
            if let slab = self.slab, slab.handle != handle || !slab.slab.hasRoom(for: chunk, byteCount: byteCount), let context = self.context {
                self.flushSlab(context)
            }
            _ = self.beginChunk(chunk, handle: handle, hash: request.hashes[request.hashes.startIndex + offset])
        } else if self.lateByteCount >= byteCount {
            self.lateByteCount -= byteCount
            self.incoming = .discarded
        } else {
            self.violate("the peer sent chunk \(chunk), which was not asked for")
        }
    }

    /// Returns false if it has to wait for a slab.
    private func beginChunk(_ chunk: Int, handle: UInt32, hash: SHA256Digest) -> Bool {
        guard self.contents[handle] != nil else {
            self.incoming = .discarded  // Released while it waited.
            return true
        }
        if self.slab == nil, let context = self.context {
            let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
            guard let slab = self.pool.take(for: self, on: context.eventLoop, resume: { bound.value.resume() }) else {
                self.incoming = .waiting(handle: handle, chunk: chunk, hash: hash)
                return false
            }
            self.slab = (slab, handle, .now())
        } else if let current = self.slab, current.handle != handle {
            // An empty one that was meant for another content.
            self.slab = (current.slab, handle, .now())
        }
        self.slab?.slab.begin(chunk, expected: hash)
        self.incoming = .chunk
        return true
    }

    private func chunkEnded(remainingByteCount: Int) {
        let wasWanted = if case .chunk = self.incoming { true } else { false }
        self.incoming = .nothing
        guard wasWanted, let slab = self.slab, let content = self.contents[slab.handle], let context = self.context else { return }
        slab.slab.end()
        if content.outstandingCount < slab.slab.chunkCount || NIODeadline.now() - slab.since >= Self.maximumDelay { self.flushSlab(context) }
    }

    private func received(_ response: TransferResponse, handle: UInt32) {
        // A handle that was released: what was on its way.
        guard let observer = self.contents[handle]?.observer else { return }
        guard self.isExpected(response, handle: handle) else { return self.violate("the peer sent an answer that was not asked for") }
        if self.contents[handle]?.isAuthenticating == true {
            guard case .description = response else { return }
            self.contents[handle]?.isAuthenticating = false
            self.contents[handle]?.early = []
        }
        switch response {
        case .description(var description):
            if self.authenticateInstead(of: &description, handle: handle) { return }
            self.contents[handle]?.early = []
            observer.received(.described(description))
        case .hashes(let segment): observer.received(.hashes(segment))
        case .hashesUnavailable(let id, _): observer.received(.hashesUnavailable(id))
        case .bitfield(let part): observer.received(.bitfield(part))
        case .have(let ranges): observer.received(.have(ranges))
        case .chunksUnavailable(let range, let reason):
            self.withdraw(range, handle: handle)
            observer.received(.chunksUnavailable(range, reason))
        case .listingPart(let offset, let bytes): observer.received(.listingPart(offset: offset, bytes: bytes))
        case .proof, .proofUnavailable, .resolved: break
        }
    }

    /// Counts answers against what was asked, and everything else against a budget: observers are told over a queue, and a peer must not
    /// fill it faster than it is emptied.
    private func isExpected(_ response: TransferResponse, handle: UInt32) -> Bool {
        guard let content = self.contents[handle] else { return false }
        let now = NIODeadline.now()
        switch response {
        case .description:
            self.contents[handle]?.isDescribed = true
            return !content.isDescribed
        case .hashesUnavailable where content.isAuthenticating: return self.news.spend(1, now: now)
        case .listingPart where content.isAuthenticating: return self.news.spend(1, now: now)
        case .hashes, .hashesUnavailable:
            self.contents[handle]?.dueHashCount -= 1
            return content.dueHashCount > 0
        case .listingPart:
            self.contents[handle]?.dueListingCount -= 1
            return content.dueListingCount > 0
        case .bitfield where content.isBitfieldDue:
            self.contents[handle]?.isBitfieldDue = false
            return true
        case .bitfield(.part(_, let bits)): return self.news.spend(1 + bits.count / 256, now: now)
        case .have(let ranges): return self.news.spend(1 + ranges.count / 16, now: now)
        case .bitfield(.complete), .chunksUnavailable: return self.news.spend(1, now: now)
        // Nobody here asks for these on a handle.
        case .proof, .proofUnavailable, .resolved: return false
        }
    }

    /// The peer will not send these.
    private func withdraw(_ range: ChunkRange, handle: UInt32) {
        guard var content = self.contents[handle] else { return }
        for position in content.requests.indices.reversed() where content.requests[position].chunks.overlaps(range.indices) {
            for chunk in content.requests[position].chunks.clamped(to: range.indices) where content.requests[position].isAwaiting(chunk) {
                content.requests[position].remaining &= ~(1 << UInt64(chunk - content.requests[position].chunks.lowerBound))
                content.outstandingCount -= 1
            }
            if content.requests[position].remaining == 0 { content.requests.remove(at: position) }
        }
        self.contents[handle] = content
        if self.slab?.handle == handle, content.outstandingCount == 0, case .nothing = self.incoming, let context = self.context {
            self.flushSlab(context)
        }
    }

    // MARK: - Slabs

    /// Hands whole chunks to a job. A part of a chunk goes on in another slab; if none is free all stay together.
    private func flushSlab(_ context: ChannelHandlerContext) {
        guard let current = self.slab, !current.slab.isEmpty, let content = self.contents[current.handle] else { return }
        if case .chunk = self.incoming {
            let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
            guard let next = self.pool.take(for: self, on: context.eventLoop, resume: { bound.value.resume() }) else { return }
            current.slab.moveNext(to: next)
            self.slab = (next, current.handle, .now())
            self.submit(current.slab, content)
        } else {
            self.submitSlab(content)
        }
    }

    private func submitSlab(_ content: Content) {
        guard let slab = self.slab?.slab else { return }
        self.slab = nil
        slab.abandonPart()
        self.submit(slab, content)
    }

    private func submit(_ slab: ChunkSlab, _ content: Content) {
        guard !slab.isEmpty, let file = content.file, let layout = content.layout, let eventLoop = self.context?.eventLoop else {
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
