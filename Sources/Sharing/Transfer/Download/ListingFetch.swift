import DIGContent
import NIOCore

/// Fetches the bytes of a folder's listing from one peer.
///
/// `@unchecked Sendable`: every `var` is used on the session's loop only.
final class ListingFetch: SessionObserver, @unchecked Sendable {
    private let session: PeerSession
    private let contentHash: ContentHash
    private let promise: EventLoopPromise<[UInt8]>
    private var handle: UInt32?
    /// Nil before the content is described.
    private var assembly: ListingAssembly?
    private var isDone = false

    private init(_ contentHash: ContentHash, session: PeerSession, promise: EventLoopPromise<[UInt8]>) {
        self.contentHash = contentHash
        self.session = session
        self.promise = promise
    }

    /// The bytes as the peer sent them: at most ``FolderListing/maximumByteCount``, not checked.
    static func fetch(_ contentHash: ContentHash, from session: PeerSession, timeout: Duration) -> EventLoopFuture<[UInt8]> {
        session.eventLoop.flatSubmit {
            let promise = session.eventLoop.makePromise(of: [UInt8].self)
            let fetch = ListingFetch(contentHash, session: session, promise: promise)
            let timer = session.eventLoop.scheduleTask(in: TimeAmount(timeout)) {
                fetch.end(.failure(TransferError(.stalled, "the peer did not send the folder's listing within \(Int(timeout.seconds)) s")))
            }
            promise.futureResult.whenComplete { _ in timer.cancel() }
            fetch.handle = session.attach(fetch, contentHash: contentHash, chunkLayer: nil, subscribes: false)
            if fetch.handle == nil { fetch.end(.failure(TransferError(.disconnected, "the stream to the peer is closed"))) }
            return promise.futureResult
        }
    }

    private func end(_ result: Result<[UInt8], TransferError>) {
        guard !self.isDone else { return }
        self.isDone = true
        if let handle = self.handle { self.session.perform([.release], handle: handle) }
        self.promise.completeWith(result.mapError { $0 as any Error })
    }

    func received(_ event: SessionEvent) {
        guard !self.isDone else { return }
        switch event {
        case .described(let description): self.described(description.content, refusal: description.refusal)
        case .listingPart(let offset, let bytes): self.receivedPart(offset, bytes)
        case .violated(let error), .ended(let error), .diskFailed(let error): self.end(.failure(error))
        case .bitfield, .have, .hashes, .hashesUnavailable, .chunksUnavailable, .checked, .progressed: break
        }
    }

    private func described(_ content: ContentDescription.Content, refusal: TransferError?) {
        switch content {
        case .folder(let byteCount):
            self.assembly = ListingAssembly(byteCount: byteCount)
            guard self.assembly != nil else {
                return self.end(.failure(TransferError(.tooLarge, "a listing may have \(FolderListing.maximumByteCount) bytes, the peer says \(byteCount)")))
            }
            self.askForParts()
        case .file(let size, let root, _):
            guard (try? DIGContent.FileDescriptor(size: size, root: root, expecting: self.contentHash)) != nil else {
                return self.end(.failure(TransferError(.contentMismatch, "what the peer describes is not \(self.contentHash)")))
            }
            self.end(.failure(TransferError(.isFile, "the content is a file, fetch it as one")))
        case .notFound:
            self.end(.failure(TransferError(.notFound, "the peer does not hold it")))
        case .refused(let reason):
            self.end(.failure(refusal ?? .refusal(reason)))
        }
    }

    private func askForParts() {
        guard let handle = self.handle else { return }
        while case .getListing(let offset, let byteCount)? = self.assembly?.nextRequest() {
            self.session.perform([.getListing(offset: offset, byteCount: byteCount)], handle: handle)
        }
    }

    private func receivedPart(_ offset: UInt64, _ part: [UInt8]) {
        do throws(TransferError) {
            // The session lets no part pass that was not asked for, so there is one.
            try self.assembly?.received(part, at: offset)
        } catch {
            return self.end(.failure(error))
        }
        if let assembly = self.assembly, assembly.isComplete { self.end(.success(assembly.bytes)) } else { self.askForParts() }
    }
}
