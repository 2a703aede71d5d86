import DIGContent
import DIGIdentity
import DIGNet
import Logging
import NIOCore
import NIOPosix

/// The asking side of one `/dig/transfer/1.0.0` stream, shared by any number of downloads.
///
/// Everything but ``open(on:pool:limiter:threadPool:logger:)`` happens on ``eventLoop``.
final class PeerSession: Sendable {
    let peer: PeerID
    let eventLoop: any EventLoop
    private let handler: NIOLoopBound<PeerSessionHandler>

    private init(peer: PeerID, eventLoop: any EventLoop, handler: NIOLoopBound<PeerSessionHandler>) {
        self.peer = peer
        self.eventLoop = eventLoop
        self.handler = handler
    }

    /// Opens a stream.
    ///
    /// - Parameter authenticator: See ``DownloadOptions/authenticator``.
    /// - Throws: ``ConnectionError``, such as `.noCommonProtocol` if the peer shares nothing.
    static func open(
        on connection: any Connection, pool: ChunkSlabPool, limiter: RateLimiter?, threadPool: NIOThreadPool, logger: Logger,
        authenticator: (any PeerAuthenticator)? = nil
    ) async throws -> PeerSession {
        let peer = connection.remotePeer
        var authenticate: PeerSessionHandler.Authenticate?
        if let authenticator {
            authenticate = { content in
                do throws(TransferError) { try await authenticator.authenticate(for: content, on: connection) } catch { return error }
                return nil
            }
        }
        let authentication = authenticate
        let channel = try await connection.openStream(speaking: [TransferHost.protocolID]) { channel, _ in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(
                    PeerSessionHandler(peer: peer, pool: pool, limiter: limiter, threadPool: threadPool, logger: logger, authenticate: authentication))
            }
        }
        return try await channel.eventLoop.submit {
            let handler = try channel.pipeline.syncOperations.handler(type: PeerSessionHandler.self)
            return PeerSession(peer: peer, eventLoop: channel.eventLoop, handler: NIOLoopBound(handler, eventLoop: channel.eventLoop))
        }.get()
    }

    // MARK: - On the event loop

    /// Opens a handle and asks for the description, and for the bitfield if wanted.
    ///
    /// - Returns: Nil if the stream is closed already; `observer` is not called then.
    func attach(_ observer: any SessionObserver, contentHash: ContentHash, chunkLayer: Int?, subscribes: Bool) -> UInt32? {
        self.handler.value.attach(observer, contentHash: contentHash, chunkLayer: chunkLayer, subscribes: subscribes)
    }

    /// Where the chunks of a handle go; before the first ``SessionCommand/getChunks(_:hashes:)``.
    func prepare(_ handle: UInt32, file: PartFile, layout: ChunkLayout) {
        self.handler.value.prepare(handle, file: file, layout: layout)
    }

    func perform(_ commands: [SessionCommand], handle: UInt32) {
        self.handler.value.perform(commands, handle: handle)
    }

    func close() { self.handler.value.close() }
}
