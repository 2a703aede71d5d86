import DIGTransfer

/// How the work of a ``Fetch`` tells what it does.
struct FetchReporter: Sendable {
    let events: AsyncStream<Fetch.Event>.Continuation
    let readable: AsyncStream<FileDownload>.Continuation
    /// Told how far it is, before whoever reads the events.
    var progressed: @Sendable (TransferProgress) -> Void = { _ in }

    func enter(_ phase: Fetch.Phase) {
        self.events.yield(.phase(phase))
    }

    func finish() {
        self.events.finish()
        self.readable.finish()
    }
}
