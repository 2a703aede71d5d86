public import DIGContent
import DIGNet
public import DIGTransfer
import Synchronization

/// Something that is being fetched.
///
/// It runs from the start, and until it is done, failed or cancelled; letting go of it cancels it.
public final class Fetch: Sendable {
    /// What it is doing.
    public enum Phase: Hashable, Sendable {
        /// Asking what a name means.
        case resolving
        /// The name, or plain SHA-256, means a content: somebody has signed that, and nobody who was asked disagrees.
        case resolved(NameBinding)
        /// Looking for a first holder.
        case searching
        case transferring(ContentHash, name: String)
    }

    /// What ``events`` tells.
    public enum Event: Sendable {
        case phase(Phase)
        case progress(TransferProgress)
    }

    /// Bounded: the oldest are dropped for a slow reader. Ends with the fetch. For one reader.
    public let events: AsyncStream<Event>

    private let continuation: AsyncStream<Event>.Continuation
    private let task = Mutex<Task<FetchResult, any Error>?>(nil)
    /// Resolves to the download once there is one to read from.
    private let readable = AsyncStream.makeStream(of: FileDownload.self, bufferingPolicy: .bufferingNewest(1))

    init(_ body: @escaping @Sendable (FetchReporter) async throws -> FetchResult) {
        (self.events, self.continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(16))
        let reporter = FetchReporter(events: self.continuation, readable: self.readable.continuation)
        self.task.withLock {
            $0 = Task {
                defer { reporter.finish() }
                return try await body(reporter)
            }
        }
    }

    deinit {
        self.cancel()
    }

    /// Waits for the end.
    ///
    /// - Throws: `TransferError`, ``NodeError``, `ConnectionError`, `CancellationError`. Whatever it is, verified chunks are kept and the next
    ///   fetch to the same place goes on with them.
    public func result() async throws -> FetchResult {
        guard let task = self.task.withLock({ $0 }) else { throw CancellationError() }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }

    /// Stops. What is verified is kept. Harmless when repeated, or after the end.
    public func cancel() {
        self.task.withLock { $0 }?.cancel()
    }

    /// The verified bytes of a file while it arrives, those of `range` first. Waits until the transfer begins. For one caller.
    ///
    /// - Throws: What ``result()`` throws if it ends before; `TransferError` with `.isFolder` for a folder.
    public func bytes(in range: Range<UInt64>? = nil) async throws -> VerifiedBytes {
        for await download in self.readable.stream {
            return download.bytes(in: range)
        }
        _ = try await self.result()
        throw TransferError(.isFolder, "a folder cannot be read as one sequence of bytes; fetch it into a directory")
    }
}
