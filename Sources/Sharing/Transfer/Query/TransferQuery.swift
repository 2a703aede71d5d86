public import DIGContent
import DIGIdentity
public import DIGNet
import NIOCore

/// Asks a connected peer over a stream of its own, without fetching anything.
///
/// Cancelling closes the stream.
public struct TransferQuery: Sendable {
    let connection: any Connection
    let timeout: Duration

    /// - Parameter timeout: From asking to the answer.
    public init(to connection: any Connection, timeout: Duration = .seconds(10)) {
        self.connection = connection
        self.timeout = timeout
    }

    /// What the peer knows about `hash`.
    ///
    /// - Throws: ``TransferError`` with `.contentMismatch` if what it describes does not hash to `hash`, `.protocolViolation`, `.stalled` or
    ///   `.disconnected`; ``ConnectionError`` if no stream could be opened.
    public func description(of hash: ContentHash) async throws -> PeerDescription {
        guard case .description(let description) = try await self.answer(to: TransferQuestion(.describe(hash, chunkLayer: nil), handle: 1)) else {
            throw TransferError(.protocolViolation, "peer \(self.connection.remotePeer) answered another question")
        }
        switch description.content {
        case .file(let size, let root, _):
            do {
                return .file(try FileDescriptor(size: size, root: root, expecting: hash), name: description.name)
            } catch {
                throw TransferError(.contentMismatch, "peer \(self.connection.remotePeer) describes something else than \(hash)", cause: error)
            }
        case .folder: return .folder(name: description.name)
        case .notFound: return .notHeld
        case .refused(let reason): return .refused(reason)
        }
    }

    /// Which contents the peer knows for `key`. Records that are malformed, badly signed or about another key are left out.
    ///
    /// - Parameter nowMilliseconds: Unix time by our clock; records from the future are left out.
    /// - Throws: As ``description(of:)``.
    public func bindings(for key: BindingKey, nowMilliseconds: UInt64) async throws -> [NameBinding] {
        try await self.answer(for: key, nowMilliseconds: nowMilliseconds).bindings
    }

    /// As ``bindings(for:nowMilliseconds:)``, and why the peer may know more that it does not tell this node; nil if it says nothing of the kind.
    ///
    /// - Throws: As ``description(of:)``.
    public func answer(for key: BindingKey, nowMilliseconds: UInt64) async throws -> (bindings: [NameBinding], withheld: UnavailableReason?) {
        guard case .resolved(_, let encoded, let withheld) = try await self.answer(to: TransferQuestion(.resolve(requestID: 1, key), handle: 0)) else {
            throw TransferError(.protocolViolation, "peer \(self.connection.remotePeer) answered another question")
        }
        let bindings = encoded.compactMap { bytes in
            // What does not verify says nothing: it is as if it had not been sent.
            try? NameBinding(decoding: bytes, expecting: key, nowMilliseconds: nowMilliseconds)
        }
        return (bindings, withheld)
    }

    /// - Throws: As ``description(of:)``, and what the dialogue throws.
    func answer<Dialogue: TransferDialogue>(to dialogue: Dialogue) async throws -> Dialogue.Answer {
        let promise = self.connection.eventLoop.makePromise(of: Dialogue.Answer.self)
        let timeout = TimeAmount(self.timeout)
        let stream: any Channel
        do {
            stream = try await self.connection.openStream(speaking: [TransferHost.protocolID]) { stream, _ in
                stream.eventLoop.makeCompletedFuture {
                    try stream.pipeline.syncOperations.addHandler(TransferDialogueHandler(dialogue, timeout: timeout, promise: promise))
                }
            }
        } catch {
            promise.fail(error)
            throw error
        }
        return try await withTaskCancellationHandler {
            try await promise.futureResult.get()
        } onCancel: {
            stream.close(promise: nil)
        }
    }
}
