import DIGContent
import NIOCore

/// One download's part in a session: carries commands to the session's loop and events back to the download's.
///
/// `@unchecked Sendable`: `handle` is used on the session's loop only.
final class SessionAttachment: SessionObserver, @unchecked Sendable {
    let session: PeerSession
    /// Whether the stream was opened for this download alone.
    let ownsSession: Bool
    private let eventLoop: any EventLoop
    private let deliver: @Sendable (SessionEvent) -> Void
    private var handle: UInt32?

    /// - Parameters:
    ///   - eventLoop: Where `deliver` is called.
    init(session: PeerSession, ownsSession: Bool, eventLoop: any EventLoop, deliver: @escaping @Sendable (SessionEvent) -> Void) {
        self.session = session
        self.ownsSession = ownsSession
        self.eventLoop = eventLoop
        self.deliver = deliver
    }

    private func onSession(_ body: @escaping @Sendable () -> Void) {
        if self.session.eventLoop.inEventLoop { body() } else { self.session.eventLoop.execute(body) }
    }

    func start(_ contentHash: ContentHash, chunkLayer: Int?, subscribes: Bool) {
        self.onSession {
            self.handle = self.session.attach(self, contentHash: contentHash, chunkLayer: chunkLayer, subscribes: subscribes)
            guard self.handle == nil else { return }
            let error = TransferError(.disconnected, "the stream to the peer is closed, or has too many contents open")
            self.eventLoop.execute { self.deliver(.ended(error)) }
        }
    }

    func prepare(file: PartFile, layout: ChunkLayout) {
        self.onSession {
            if let handle = self.handle { self.session.prepare(handle, file: file, layout: layout) }
        }
    }

    func perform(_ commands: [SessionCommand]) {
        self.onSession {
            if let handle = self.handle { self.session.perform(commands, handle: handle) }
        }
    }

    /// Closes the handle, and the stream if it is this download's own or the peer lied.
    func detach(closesSession: Bool) {
        self.onSession {
            if let handle = self.handle { self.session.perform([.release], handle: handle) }
            self.handle = nil
            if self.ownsSession || closesSession { self.session.close() }
        }
    }

    func received(_ event: SessionEvent) {
        if self.eventLoop.inEventLoop { self.deliver(event) } else { self.eventLoop.execute { self.deliver(event) } }
    }
}
