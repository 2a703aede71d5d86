extension DownloadStateMachine {
    struct Request {
        var awaited: AwaitedChunks
        let requestedAt: Instant
        /// Nothing else was outstanding, so the answer's delay is a round trip.
        let measuresRoundTrip: Bool
        /// A stalled peer's probe: its chunks are not counted in the picker any more.
        var isReleased = false

        var range: Range<Int> { self.awaited.range }
    }
}
